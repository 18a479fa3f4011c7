"""Whether a sentence says what the evidence says, as people write numbers."""

from __future__ import annotations

import pytest

from agent.numbers import says


@pytest.mark.parametrize(
    ("sentence", "value"),
    [
        ("The pool is full.", 10),
        ("All 10 of 10 connections are in use since 02:14", 10),
        ("node CPU reached 97.4 %", 0.974),
        ("node CPU reached 97%", 0.974),
        ("p99 rose from 78 ms to 4.2 s at 13:48", 4202.8),
        ("the p99 is 4,203 ms", 4202.8),
        ("about 5,000 lines, v2.3.1 was live", 5180),
        ("1.2k errors on 2026-06-20", 1210),
        ("working set 11.2GiB", 11.2 * 1024**3),
        ("no 5xx at all in the last 10 minutes", 0),
        ("three times as many as before (3×), for 20 minutes", 41),
        ("temperature is −4 degrees", -4),
        ("E7 shows p99 of web-2 at 13:48:05 in 4.18.0", 12),
        ("error_rate of cart is 56.8 % at 22:52 (normal 0.0346–0.394 %)", 0.5683),
    ],
)
def test_a_sentence_that_agrees(sentence: str, value: float) -> None:
    assert says(sentence, value)


@pytest.mark.parametrize(
    ("sentence", "value"),
    [
        ("node CPU reached 99 %", 0.974),
        ("the pool holds 40 connections", 10),
        ("p99 is 90 s", 4202.8),
        ("it fell to 0.5", 5),
        ("18 errors", 1800),
        ("1,912 time-outs", 1219),
    ],
)
def test_a_sentence_that_gives_another_number(sentence: str, value: float) -> None:
    assert not says(sentence, value)

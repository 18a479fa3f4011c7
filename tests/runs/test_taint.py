"""Copied text is recognised however it is wrapped; what nobody copied is not; large results stay cheap."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runs.policy.taint import SPAN, TaintIndex, normal, strings

LOG = (
    "2026-11-23T02:14:30Z ERROR orders-api Connection is not available, request timed out after 5000ms "
    "see https://evil.io/x or mail ops@ev.il, file /etc/pw on 10.0.0.7"
)
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:;/-_=@%+&'\"()[]{}éßñДжñ日本語中"
UNTRUSTED = st.text(LETTERS, min_size=40, max_size=200)
OTHER = st.text("qzQZ#~^", max_size=30)  # what the copy is joined with; it shares nothing with LETTERS


def marks(args: dict[str, Any], *texts: str, trusted: str = "") -> dict[str, list[str]]:
    index = TaintIndex([args], trusted)
    for number, text in enumerate(texts, start=1):
        index.look(f"E{number}", text)
    return {mark.argument: mark.sources for mark in index.marks()[0]}


def _copied(text: str) -> str:
    return text


def _cased(text: str) -> str:
    return text.upper() if len(text) % 2 else text.swapcase()


def _in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("transform", [_copied, _cased, quote, _in_base64, lambda text: quote_plus(_in_base64(text))])
@settings(max_examples=200, deadline=None)
@given(text=UNTRUSTED, start=st.integers(0, 27), before=OTHER, after=OTHER)
def test_a_copied_span_is_recognised_after_any_transform_and_joined_with_other_text(
    transform: Callable[[str], str], text: str, start: int, before: str, after: str
) -> None:
    span = " ".join(text.split())[start : start + SPAN + 3]
    if len(normal(span)) < SPAN:
        return  # blanks at its ends are no part of it

    assert marks({"body": f"{before} {transform(span)} {after}", "title": before}, text) == {"body": ["E1"]}


@pytest.mark.parametrize(
    "value",
    [
        "CONNECTION IS\n  NOT available, request",  # case and blanks
        "Conn\u200bection is not av\u00adailable",  # invisible characters inside
        "Ｃｏｎｎｅｃｔｉｏｎ is not available",  # full-width letters
        "say: Q29ubmVjdGlvbiBpcyBub3QgYXZhaWxhYmxl!",  # base64
        "xQ29ubmVjdGlvbiBpcyBub3QgYXZhaWxhYmxl",  # base64 behind a letter that shifts it
        "Q29ubmVjdGlv\nbiBpcyBub3Qg\nYXZhaWxhYmxl",  # base64 in short lines
        "QwBvAG4AbgBlAGMAdABpAG8AbgAgAGkAcwAgAG4AbwB0ACAAYQB2AGEAaQBsAGEAYgBsAGUA",  # base64 of UTF-16
        "Connection%20is%20not%20available",
        "Connection+is+not+available",
        "436f6e6e656374696f6e206973206e6f7420617661696c61626c65",  # hex
        "Connection&#32;is&#32;not&#32;available",
        "UTI5dWJtVmpkR2x2YmlCcGN5QnViM1FnWVhaaGFXeGhZbXhs",  # base64 of base64
        {"deep": [{"er": "not available, request"}]},
        {"Connection is not available": 1},  # a key
        "evil.io", "https://EVIL.io", "go to evil.io now", "ops@ev.il", "cat /etc/pw", "ping 10.0.0.7", "ZXZpbC5pbw==",
    ],
)  # fmt: skip
def test_a_disguised_copy_is_recognised(value: Any) -> None:
    assert marks({"arg": value}, "nothing here", LOG) == {"arg": ["E2"]}


@pytest.mark.parametrize(
    "value",
    ["timed out", "the database is slow since two o'clock", "vil.io", "evil.iot", "10.0.0.70", "/etc/pwd", "", 5000,
     None, True, ["a", 1], "no connection could be had within five seconds"],
)  # fmt: skip
def test_what_nobody_copied_is_clean(value: Any) -> None:
    assert marks({"arg": value}, LOG) == {}


def test_no_span_runs_from_one_text_into_the_next() -> None:
    first = TaintIndex([{"arg": "alpha beta gamma"}])
    first.look("E1", "\x00".join(strings({"a": "alpha beta", "b": "gamma delta"})))

    assert first.marks() == [[]]


def test_a_persons_own_words_are_theirs_although_results_repeat_them() -> None:
    goal = "Why is checkout-service so slow since the release?"

    assert marks({"title": "checkout-service so slow"}, "msg=checkout-service so slow", trusted=goal) == {}
    assert marks({"title": "checkout-service so broken now"}, "x checkout-service so broken now", trusted=goal) != {}


def test_each_argument_of_each_call_names_all_its_sources_in_order() -> None:
    index = TaintIndex([{"title": "request timed out", "to": "bob"}, {"body": "request timed out after"}])
    for source in ("alert", "E10", "E2"):
        index.look(source, LOG)

    assert [[(mark.argument, mark.sources) for mark in call] for call in index.marks()] == [
        [("title", ["E2", "E10", "alert"])],
        [("body", ["E2", "E10", "alert"])],
    ]


def test_the_source_of_the_longest_copy_comes_first() -> None:
    said = "request timed out after 5000ms"

    assert marks({"body": f"It says: {said}"}, "a request timed out", said) == {"body": ["E2", "E1"]}


def test_spans_are_kept_for_people_few_and_short() -> None:
    index = TaintIndex([{"body": f"{LOG} -- " + "x".join(LOG[place : place + 20] for place in range(0, 150, 25))}])
    index.look("E1", LOG)
    (mark,) = index.marks()[0]

    assert len(mark.spans) <= 3
    assert all(len(span) <= 120 for span in mark.spans)
    assert mark.spans[0].startswith("2026-11-23t02:14:30z error")


def test_bytes_that_are_no_text_do_no_harm() -> None:
    assert marks({"a": "\ud800" * 20, "b": "%ff%fe%00" * 9, "c": "/" * 50}, "\udfff" * 30, "%zz" * 20) == {}

"""Contenders answer, take turns, and say why they died."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.contest import ContenderFailed, alternate, contender
from bench.peers.marks import mark_in, marked, with_mark

ECHO = "tests.bench.echo"


def test_a_contender_answers_what_it_is_asked_whatever_it_prints() -> None:
    with contender(sys.executable, ECHO) as echo:
        assert echo.ask("double", number=21) == {"number": 42}


def test_two_contenders_work_at_the_same_time_and_are_heard_later() -> None:
    with contender(sys.executable, ECHO) as first, contender(sys.executable, ECHO) as second:
        first.tell("double", number=1)
        second.tell("double", number=2)

        assert (first.hear(), second.hear()) == ({"number": 2}, {"number": 4})


def test_a_contender_that_dies_leaves_its_last_words() -> None:
    with contender(sys.executable, ECHO) as echo, pytest.raises(ContenderFailed, match="cannot double a word"):
        echo.ask("double", number="a word")


def test_a_contender_that_cannot_start_says_why(tmp_path: Path) -> None:
    with contender(sys.executable, "tests.bench.nowhere") as lost, pytest.raises(ContenderFailed, match="nowhere"):
        lost.ask("double", number=1)


def test_contenders_take_turns_and_the_first_round_does_not_count() -> None:
    order: list[str] = []
    turns = {name: lambda name=name: order.append(name) or float(len(order)) for name in ("ours", "peer")}

    values = alternate(turns, rounds=2, after_round=lambda: None)

    assert order == ["ours", "peer"] * 3
    assert values == {"ours": [3.0, 5.0], "peer": [4.0, 6.0]}


def test_a_text_is_known_again_by_its_mark() -> None:
    sample = f"<li>{marked(1)}</li>"

    assert mark_in(with_mark(sample, 23)) == 23
    assert len(with_mark(sample, 23)) == len(sample)
    assert mark_in('{"type": "tick"}') is None

"""What a report says beyond its claims: the change it blames, the numbers of its answer."""

from __future__ import annotations

import pytest

from agent.evaluate import settle
from agent.headline import known_change
from tests.agent.test_grounding import EXHIBITS, NOW, exhibit
from tests.agent.test_outcome import CAUSE, MECHANISM, RULED, SYMPTOM
from tools.generate_report import Report


def test_a_change_is_known_by_its_whole_name_or_as_git_shortens_it() -> None:
    commit = "0e7c3a9f1b6d425da8c10e7246b9f53802ac1d68"
    known = {"E1": exhibit("E1", {"changes": [{"id": commit}, {"id": "deploy:orders:2.0"}]}, source="shop:changes")}
    assert known_change(commit, known) == known_change("0e7c3a9", known) == commit
    assert known_change("deploy:orders:2.0", known) == "deploy:orders:2.0"
    for wrong in ("0e7c3a", "deploy:orders", "1f7a9c3e"):
        assert known_change(wrong, known) == "", wrong


@pytest.mark.parametrize(
    ("answer", "stray"),
    [
        ("The pool of billing is full, 10 of 10, since 11:30.", ""),
        ("Release 2.4.0 cut the pool of billing; 3 services fail.", ""),
        ("Requests of billing wait 5 s for a connection.", ""),
        ("The pool of billing holds 400 connections.", "no claim shows the 400 of the answer"),
        ("97 % of billing fails, 12 ms a call.", "no claim shows the 97 % and the 12 ms of the answer"),
    ],
)
def test_a_number_of_the_answer_must_be_shown_by_a_claim(answer: str, stray: str) -> None:
    claims = [SYMPTOM, MECHANISM]  # quotes "exhausted" of 'pool "main" exhausted after 5000ms'; measures 10
    report = Report(verdict="cause", summary=answer, root_cause=CAUSE, claims=claims, ruled_out=RULED)
    settled = settle(report, EXHIBITS, NOW)
    assert [one["detail"] for one in settled["did_not_hold"]] == ([stray] if stray else [])
    assert settled["outcome"] == ("LIKELY" if stray else "CONFIRMED")

"""Steps as people read them: which line a step makes, what a fold may never hide, and where a cycle begins."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from runs.models import Step
from runs.presentation.timeline import args_in_words, cycles, line_of, said_by
from runs.states import StepKind


def step(seq: int, kind: str, name: str, /, actor: str = "driver", **payload: Any) -> Step:
    at = datetime(2026, 3, 1, 3, 12, seq % 60, tzinfo=UTC)
    return Step(seq=seq, kind=kind, name=name, actor=actor, at=at, body=json.dumps(payload))


def transition(seq: int, name: str, **payload: Any) -> Step:
    return step(seq, StepKind.TRANSITION, name, **payload)


def result(seq: int, status: str, call: int = 7, **payload: Any) -> Step:
    return step(seq, StepKind.TOOL_RESULT, "search_logs", call=call, status=status, **payload)


def test_a_cycle_begins_where_the_run_enters_planning() -> None:
    steps = [transition(1, "create"), transition(2, "begin"), transition(3, "choose_tools"), transition(4, "replan")]
    assert [(cycle.number, len(cycle.lines)) for cycle in cycles(steps, {})] == [(0, 1), (1, 2), (2, 1)]


def test_only_the_last_cycle_is_current() -> None:
    shown = cycles([transition(1, "create"), transition(2, "begin"), transition(3, "replan")], {})
    assert [cycle.is_current for cycle in shown] == [False, False, True]


def test_a_call_that_has_returned_is_one_line_and_one_that_runs_is_seen() -> None:
    started = step(3, StepKind.TOOL_INTENT, "search_logs", call=7, args={})
    running = step(4, StepKind.TOOL_INTENT, "query_metrics", call=8, args={})
    (shown,) = cycles([started, running, result(5, "success")], {})
    assert [line.seq for line in shown.lines] == [4, 5]


def test_a_cycle_says_what_it_did() -> None:
    refuted = [{"id": "H1", "status": "refuted"}, {"id": "H2", "status": "open"}]
    steps = [
        transition(1, "begin"), transition(2, "choose_tools", hypotheses=refuted), result(3, "success"),
        result(4, "no_data", call=8), result(5, "error", call=9), transition(6, "replan"),
        transition(7, "choose_tools", hypotheses=refuted),
    ]  # fmt: skip
    first, second = cycles(steps, {})
    assert first.summary == "3 searches, 1 without data, 1 error, 1 ruled out"
    assert second.summary == ""


@pytest.mark.parametrize("status", ["error", "no_data", "denied", "expired", "refused", "void", "outcome_unknown"])
def test_a_call_that_did_not_simply_succeed_is_never_folded_away(status: str) -> None:
    assert line_of(result(3, status), 1, {}).loud


def test_skipped_rows_are_never_folded_away() -> None:
    assert not line_of(result(3, "success"), 1, {}).loud
    line = line_of(result(3, "success", skipped=3), 1, {})
    assert line.loud
    assert "3 malformed rows skipped" in line.detail


@pytest.mark.parametrize(
    "loud",
    [
        step(3, StepKind.HOLD, "retry", until="2026-03-01T03:14:20+00:00", reason="the API is overloaded"),
        step(3, StepKind.VOTE, "deny", actor="user:bob", reason="not now", approval=1),
        step(3, StepKind.NOTE, "note", actor="user:bob", text="look at the pool"),
        transition(3, "replan", problems=[["C2", "E1 does not contain these words"]]),
        transition(3, "fail", message="no planner"),
        transition(3, "ask_approval", approvals=[1]),
        transition(3, "finish", outcome="LIKELY", held=5, total=6),
    ],
)
def test_what_people_must_see_is_never_folded_away(loud: Step) -> None:
    assert line_of(loud, 1, {}).loud


def test_a_result_names_its_evidence_and_what_was_asked() -> None:
    line = line_of(
        result(3, "success", evidence="E1", summary="5 lines"), 1, {7: {"pattern": "timed out", "limit": 20}}
    )
    assert (line.evidence, line.quoted, line.detail) == ("E1", "5 lines", 'pattern "timed out"')


def test_a_retry_says_when_and_why() -> None:
    line = line_of(step(3, StepKind.HOLD, "retry", until="2026-03-01T03:14:20+00:00", reason="overloaded"), 1, {})
    assert (line.words, line.quoted) == ("Tries again at 03:14:20:", "overloaded")


@pytest.mark.parametrize("kind", list(StepKind))
def test_a_payload_that_has_expired_still_makes_a_line(kind: str) -> None:
    bare = Step(seq=1, kind=kind, name="whatever", actor="driver", at=datetime(2026, 3, 1, tzinfo=UTC), body=None)
    assert line_of(bare, 0, {}).words


@pytest.mark.parametrize(
    ("actor", "words"),
    [("user:bob", "bob"), ("cli:root", "root (command line)"), ("driver", ""), ("system", "system")],
)
def test_an_actor_is_said_as_people_say_it(actor: str, words: str) -> None:
    assert said_by(actor) == words


def test_long_arguments_are_cut_and_usual_ones_left_out() -> None:
    assert args_in_words({"service": "", "limit": 20, "since": "30m"}) == "since 30m"


def test_several_questions_are_said_without_the_names_of_their_parts() -> None:
    questions = [{"hypothesis": "H1", "question": "Is it the pool?"}, {"hypothesis": "", "question": "Or the disk?"}]
    assert args_in_words({"questions": questions}) == "questions H1: Is it the pool?; Or the disk?"
    assert len(args_in_words({"pattern": "x" * 1_000})) == 140


@pytest.mark.parametrize(("vote", "words"), [("approve", "says: it happened"), ("deny", "says: it did not happen")])
def test_an_answer_is_not_worded_as_an_approval(vote: str, words: str) -> None:
    line = line_of(step(9, "vote", vote, actor="user:bob", approval=3, kind="settle", reason="seen"), 1, {})
    assert (line.who, line.words, line.quoted, line.loud) == ("bob", words, "seen", True)

"""A run as lines of text: every kind of step, wide and narrow, with and without colour, and hostile text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from opspilot_site.terminal import Look, Stream, closing, hypotheses_in_words, opening, request_in_words
from runs.audit.chain import canonical
from runs.models import Approval, Run, Step
from runs.models.run import WAITS
from runs.states import StepKind

AT = datetime(2026, 3, 1, 3, 12, 4, tzinfo=UTC)
PIPE = Look()


def _step(kind: StepKind, name: str, payload: dict[str, Any], actor: str = "driver") -> Step:
    return Step(kind=kind, name=name, body=canonical(payload), actor=actor, at=AT)


def _approval(**changes: Any) -> Approval:
    asked = {
        "pk": 1, "tool": "create_ticket", "required": 1, "requested_by": "user:alice", "asked_at": AT,
        "expires_at": AT.replace(hour=4),
        "preview": {"sentence": "Create a ticket.", "destination": "tickets kept here"},
    }  # fmt: skip
    return Approval(**{**asked, **changes})


def _stream(look: Look = PIPE) -> Stream:
    return Stream(look, lambda number: _approval(pk=number), lambda approval: f"./opspilot approve {approval.pk}")


def _lines(*steps: Step, look: Look = PIPE) -> list[str]:
    stream = _stream(look)
    return [line for step in steps for line in stream.lines(step)]


PLANNED = _step(
    StepKind.TRANSITION,
    "choose_tools",
    {
        "rationale": "what changed, and when?",
        "hypotheses": [
            {"statement": "pool exhausted", "status": "supported", "facts": [{"evidence": "E2"}, {"evidence": "E4"}]},
            {"statement": "slow database", "status": "refuted", "facts": []},
        ],
        "requests": [],
    },
)


def _asked(call: int, tool: str, **args: Any) -> Step:
    return _step(StepKind.TOOL_INTENT, tool, {"call": call, "tool": tool, "args": args, "key": "k"})


def _came(call: int, tool: str, status: str = "success", evidence: str = "E1", **more: Any) -> Step:
    payload = {"call": call, "status": status, "summary": "it was so", "evidence": evidence, "skipped": 0, **more}
    return _step(StepKind.TOOL_RESULT, tool, payload)


def test_a_plan_and_its_results_stand_in_columns() -> None:
    lines = _lines(
        PLANNED,
        _asked(1, "search_logs", pattern="timed out"), _asked(2, "query_metrics"),
        _came(1, "search_logs"), _came(2, "query_metrics", "no_data", "E12"),
        _step(StepKind.TRANSITION, "tools_returned", {"calls": 2}),
    )  # fmt: skip

    assert lines == [
        "03:12:04  ◐ planning      what changed, and when?",
        "                          supported: pool exhausted (E2 E4) · ruled out: slow database",
        '03:12:04  ◐ gathering     search_logs     pattern "timed out"',
        "                    E1 ✓  it was so",
        "                          query_metrics",
        "                   E12 ∅  it was so",
        "03:12:04  ◐ checking      2 results kept",
    ]


def test_hypotheses_are_said_only_when_they_changed() -> None:
    assert len(_lines(PLANNED, PLANNED)) == 3


@pytest.mark.parametrize(
    ("status", "shown"),
    [("error", "✗  it was so"), ("truncated", "✓  it was so (cut short)"), ("denied", "–  it was so")],
)
def test_a_result_that_is_not_plain_says_so(status: str, shown: str) -> None:
    assert _lines(_asked(1, "search_logs"), _came(1, "search_logs", status))[1].endswith(shown)


def test_skipped_rows_are_said_once() -> None:
    came = _came(1, "search_logs", summary="no error; 3 malformed rows skipped", skipped=3)
    assert _lines(_asked(1, "search_logs"), came)[1].endswith("no error; 3 malformed rows skipped")


def test_a_request_says_what_where_and_how_to_decide() -> None:
    assert _lines(_step(StepKind.TRANSITION, "ask_approval", {"approvals": [7]})) == [
        "03:12:04  ✋ approval     create_ticket needs 1 vote, not alice's · expires 04:12",
        "             what         Create a ticket.",
        "             where        tickets kept here",
        "             decide       ./opspilot approve 7",
    ]


def test_who_must_decide_is_said_for_each_kind_of_request() -> None:
    assert "needs 2 votes, not alice's" in request_in_words(_approval(required=2))
    assert "needs its owner's confirmation" in request_in_words(_approval(owner_may=True))
    assert "did it happen?" in request_in_words(_approval(kind="settle"))


@pytest.mark.parametrize(
    ("step", "shown"),
    [
        (_step(StepKind.VOTE, "approve", {"reason": ""}, "user:bob"), "✔ approved      by bob"),
        (_step(StepKind.VOTE, "deny", {"reason": "not now"}, "user:bob"), "✕ denied        by bob: not now"),
        (
            _step(StepKind.VOTE, "deny", {"kind": "settle", "reason": ""}, "user:bob"),
            "✔ answered      by bob: it did not happen",
        ),
        (_step(StepKind.VOTE, "expire", {}, "system"), "– expired       nobody decided in time"),
        (_step(StepKind.NOTE, "note", {"text": "see here"}, "user:alice"), "✎ note          alice: see here"),
        (_step(StepKind.HOLD, "hold", {"reason": "wait"}, "user:alice"), "⏸ held          by alice: wait"),
        (_step(StepKind.HOLD, "release", {}, "user:alice"), "◐ released      by alice"),
        (
            _step(StepKind.HOLD, "retry", {"reason": "overloaded", "until": "2026-03-01T03:14:20Z", "attempt": 2}),
            "↻ retrying      again at 03:14:20, attempt 3: overloaded",
        ),
        (
            _step(StepKind.TRANSITION, "replan", {"words": "Some do not hold.", "problems": [["C2", "no such line"]]}),
            "↻ sent back     Some do not hold. C2: no such line",
        ),
        (_step(StepKind.TRANSITION, "none_approved", {}), "◐ checking      nothing was approved; goes on without it"),
        (
            _step(StepKind.TRANSITION, "finish", {"outcome": "LIKELY", "held": 7, "total": 8, "stopped_by": "steps"}),
            "◑ done          likely cause · 7 of 8 facts hold · stopped early: steps",
        ),
        (_step(StepKind.TRANSITION, "fail", {"message": "no key"}), "✕ failed        no key"),
        (_step(StepKind.TRANSITION, "cancel", {"reason": "mine"}), "– cancelled     mine"),
    ],
)  # fmt: skip
def test_every_other_step_is_one_line(step: Step, shown: str) -> None:
    assert _lines(step) == [f"03:12:04  {shown}"]


def test_a_source_that_cannot_be_read_is_said_at_once() -> None:
    sources = [{"name": "loki", "problem": "does not answer"}, {"name": "prom", "problem": ""}]

    assert _lines(_step(StepKind.TRANSITION, "begin", {"sources": sources})) == [" " * 23 + "⚠  loki: does not answer"]


def test_nothing_is_wider_than_the_terminal() -> None:
    note = _step(StepKind.NOTE, "note", {"text": "word " * 200}, "user:alice")
    lines = _lines(PLANNED, _asked(1, "search_logs", pattern="x" * 300), _came(1, "search_logs"), note, look=Look(60))

    assert max(map(len, lines)) <= 60
    assert lines[-1].endswith("…")


def test_a_narrower_terminal_than_sixty_is_treated_as_sixty() -> None:
    note = _step(StepKind.NOTE, "note", {"text": "word " * 20}, "user:alice")

    assert _lines(note, look=Look(10)) == _lines(note, look=Look(60))


def test_a_pipe_loses_nothing_and_gets_no_colour() -> None:
    (line,) = _lines(_step(StepKind.NOTE, "note", {"text": "word " * 200}, "user:alice"))

    assert line.count("word") == 200
    assert "\033" not in line


def test_colour_never_carries_what_the_words_do_not() -> None:
    finish = _step(StepKind.TRANSITION, "fail", {"message": "no key"})
    (coloured,) = _lines(finish, look=Look(80, colour=True))

    assert "\033[31m✕\033[0m failed" in coloured
    assert coloured.replace("\033[31m", "").replace("\033[0m", "") == _lines(finish)[0]


def test_text_from_outside_cannot_move_the_cursor() -> None:
    (line,) = _lines(_step(StepKind.NOTE, "note", {"text": "\033[2Jgone \u202etxt\nnext"}, "user:alice"))

    assert "\033" not in line
    assert "⟦U+001B⟧[2Jgone ⟦U+202E⟧txt next" in line


def _run(**changes: Any) -> Run:
    report = {"outcome": "LIKELY", "checked": {"held": 7, "total": 7}, "ruled_out": [1, 2], "not_checked": [1]}
    run = {
        "pk": 1, "goal": "why?", "as_of": AT, "answer": "the pool is full", "report": report, "driven_ms": 3_000,
        "n_tool_calls": 6, "outcome": "LIKELY",
    }  # fmt: skip
    return Run(**{**run, **changes})


def test_the_opening_says_the_time_zone_once() -> None:
    assert opening(_run()) == ["Run 1  “why?”", "Times are UTC."]


def test_the_closing_says_how_well_the_answer_is_founded() -> None:
    assert closing(_run(state="NEEDS_APPROVAL"), AT, PIPE) == [
        "So far: ◑ likely cause  the pool is full",
        "        7 of 7 facts hold · 2 ruled out · 1 not checked · 3 s · 6 tool calls · $0.00",
    ]


def test_a_finished_run_has_an_answer_and_a_failed_one_its_reason() -> None:
    assert closing(_run(state="DONE"), AT, PIPE)[0] == "Answer: ◑ likely cause  the pool is full"
    failed = _run(state="FAILED", failure="no key", report=None)
    assert closing(failed, AT, PIPE)[0] == "Answer: ✕ opspilot failed  no key"


def test_a_run_without_a_report_says_that_nothing_was_found_yet() -> None:
    assert "nothing was found yet" in closing(_run(state="PLAN", report=None, answer=""), AT, PIPE)[0]


def test_no_hypothesis_is_no_words() -> None:
    assert hypotheses_in_words([]) == ""


def test_waiting_for_sub_runs_is_no_hold() -> None:
    waits = _step(StepKind.HOLD, "sub_runs", {"reason": WAITS, "until": None, "runs": [7, 8]})
    ended = _step(StepKind.HOLD, "release", {"reason": WAITS}, actor="system")
    assert _lines(waits, ended) == [
        "03:12:04  ◐ waiting       for 2 sub-runs: 7, 8",
        "03:12:04  ◐ going on      its sub-runs have ended",
    ]

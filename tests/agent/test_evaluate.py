"""Loops are noticed, budgets stop a run with words, and a report can be made of what is known so far."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from agent.budget import LONGEST_WAIT_S, backoff_s, left, limit_reached
from agent.evaluate import PastCall, checked_facts, loop_found, problems, report_so_far, settle
from agent.planner import Hypothesis, ToolRequest
from agent.proposals import MOST_CALLS, proposals
from tests.agent.test_grounding import EXHIBITS, NOW
from tests.agent.test_outcome import MECHANISM, SYMPTOM
from tools.generate_report import Report, RootCause


def past(*calls: tuple[int, str, str]) -> list[PastCall]:
    return [PastCall(cycle, fingerprint, status) for cycle, fingerprint, status in calls]


def test_the_same_call_a_third_time_is_a_loop() -> None:
    twice = past((1, "a", "success"), (2, "a", "success"))
    assert loop_found(twice) == ""
    assert loop_found([*twice, *past((3, "a", "success"))]) == "the same call was repeated"


def test_failures_in_a_row_and_cycles_without_evidence_end_it() -> None:
    failing = past(*((cycle, f"c{cycle}", "error") for cycle in range(5)))
    assert loop_found(failing[:3]) == ""
    assert loop_found(failing) == "5 calls in a row failed"
    denied = past(*((cycle, f"c{cycle}", "denied") for cycle in range(4)))
    assert loop_found(denied) == "4 cycles brought no evidence"
    assert loop_found([*denied[:3], *past((4, "d", "no_data"))]) == "", "an empty answer is evidence"


SPENT = {
    "budget": {"steps": 10, "cycles": 3, "tool_calls": 5, "model_calls": 4, "tokens": 1000, "micro_usd": 2_000_000,
               "driven_ms": 60_000},
    "n_steps": 1, "cycle": 1, "n_tool_calls": 1, "n_model_calls": 1, "tokens_in": 100, "tokens_out": 50,
    "cost_micro_usd": 10, "driven_ms": 100,
}  # fmt: skip


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("n_steps", 10, "step limit (10)"),
        ("cycle", 4, "cycle limit (3)"),
        ("n_tool_calls", 5, "tool call limit (5)"),
        ("n_model_calls", 4, "model call limit (4)"),
        ("tokens_in", 950, "token limit (1,000)"),
        ("cost_micro_usd", 2_000_000, "money limit ($2.00)"),
        ("driven_ms", 60_000, "time limit (1 min)"),
    ],
)
def test_each_cap_stops_the_run_in_words(column: str, value: int, words: str) -> None:
    assert limit_reached(SimpleNamespace(**SPENT), 0, 20_000_000) == ""
    assert limit_reached(SimpleNamespace(**{**SPENT, column: value}), 0, 20_000_000) == words


def test_the_days_cap_is_everybodys() -> None:
    assert limit_reached(SimpleNamespace(**SPENT), 20_000_000, 20_000_000) == "money limit of the day ($20.00)"


def test_a_planner_is_told_what_is_left() -> None:
    rest = left(SimpleNamespace(**SPENT))
    assert (rest.steps, rest.tool_calls, rest.tokens) == (9, 4, 850)


def test_waiting_doubles_with_jitter_and_obeys_the_api_up_to_a_cap() -> None:
    assert all(1.0 <= backoff_s(0, None) <= 2.0 for _ in range(50))
    assert all(8.0 <= backoff_s(3, None) <= 16.0 for _ in range(50))
    assert backoff_s(30, None) <= LONGEST_WAIT_S
    assert (backoff_s(0, 7.0), backoff_s(0, 86_400), backoff_s(0, 0)) == (7.0, LONGEST_WAIT_S, 1.0)


def test_a_report_so_far_is_the_leading_hypothesis_with_its_facts_checked() -> None:
    hypotheses = [
        Hypothesis("H1", "The pool is exhausted.", "supported", (SYMPTOM, MECHANISM), "E1 E2", "billing"),
        Hypothesis("H2", "The database is slow.", "refuted", (MECHANISM,), "CPU is normal.", "postgres"),
        Hypothesis("H3", "A leak holds connections."),
    ]
    settled = settle(report_so_far(hypotheses, "The pool."), EXHIBITS, NOW, partial=True)
    assert (settled["outcome"], settled["partial"], settled["checked"]) == ("CONFIRMED", True, {"held": 2, "total": 2})
    assert settled["root_cause"]["entity"] == "billing"
    assert settled["ruled_out"][0]["evidence"] == ["E2"]
    assert [entry["what"] for entry in settled["not_checked"]] == ["A leak holds connections."]


def test_before_anything_is_known_a_report_says_so() -> None:
    settled = settle(report_so_far([], "", "step limit (10)"), EXHIBITS, NOW, stopped_by="step limit (10)")
    assert (settled["outcome"], settled["summary"]) == ("INCONCLUSIVE", "Nothing is established yet.")


def test_what_does_not_hold_is_set_apart_and_foreign_evidence_is_dropped() -> None:
    cause = RootCause(entity="billing", kind="x", mechanism="the pool")
    wrong = SYMPTOM.model_copy(update={"id": "C7", "quote": "exploded"})
    report = Report(verdict="cause", summary="The pool.", root_cause=cause, claims=[SYMPTOM, wrong],
                    timeline=[{"at": "12:00", "text": "it began", "evidence": ["E1", "E77"]}])  # fmt: skip
    settled = settle(report, EXHIBITS, NOW)
    assert problems(settled) == [("C7", "E1 does not contain these words")]
    assert settled["timeline"][0]["evidence"] == ["E1"]


def test_facts_of_hypotheses_carry_their_verdicts() -> None:
    stored = checked_facts([Hypothesis("H1", "The pool.", "open", (SYMPTOM,))], EXHIBITS)
    assert stored[0]["facts"][0]["verdict"] == "quote_found"


def test_a_mistaken_request_is_answered_not_run() -> None:
    requests = [
        ToolRequest("a", "search_logs", {"level": "ERROR"}),
        ToolRequest("a", "list_changes", {}),
        ToolRequest("b", "generate_report", {}),
        ToolRequest("c", "rm", {}),
    ]
    told = [proposal.problem for proposal in proposals(requests)]
    assert told[0] == ""
    assert "share the id" in told[1] and "call it alone" in told[2] and "no tool 'rm'" in told[3]


def test_a_move_has_a_limit_of_calls() -> None:
    many = proposals([ToolRequest(f"r{n}", "list_changes", {}) for n in range(MOST_CALLS + 3)])
    assert [bool(proposal.problem) for proposal in many] == [False] * MOST_CALLS + [True] * 3


def test_checked_arguments_have_their_defaults_filled_in() -> None:
    proposal = proposals([ToolRequest("a", "search_logs", {"pattern": "timeout"})])[0]
    assert proposal.args["ignore_case"] is True and proposal.risk == "read"

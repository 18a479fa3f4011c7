"""One investigation from goal to report: gather, ask a person, create the ticket, conclude, check every claim."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import User

from agent.planner import Hypothesis, SentBack
from runs.audit.chain import verify_chain
from runs.models import Approval, Evidence, Run, Team, Ticket
from runs.services.approvals import decide_approval
from runs.states import ApprovalState, Outcome, RunState
from tests.agent.scripted import ScriptedPlanner, calls, concludes
from tests.flows.driving import go_on, start
from tests.flows.incident import ONSET, SHA, write_incident
from tools.generate_report import Claim

pytestmark = pytest.mark.django_db(transaction=True)

LOOK = calls(("search_logs", {"level": "ERROR"}), ("query_metrics", {"name": "db_pool_active"}), ("list_changes", {}))
CLAIMS = [
    {"id": "C1", "statement": "Requests time out waiting for a connection.", "kind": "quote", "role": "symptom",
     "evidence": "E1", "quote": "connection not available, timed out after 5000ms"},
    {"id": "C2", "statement": "All ten connections are in use.", "kind": "number", "role": "mechanism",
     "evidence": "E2", "figure": "billing db_pool_active", "value": 10, "at": ONSET.isoformat()},
    {"id": "C3", "statement": "The limit was lowered.", "kind": "quote", "role": "change", "evidence": "E3",
     "quote": "+pool_size: 10"},
    {"id": "C4", "statement": "The lower limit causes the time-outs.", "kind": "inference", "role": "mechanism",
     "based_on": ["C1", "C2", "C3"]},
]  # fmt: skip
REPORT = {
    "verdict": "cause", "summary": "Release 2.4.0 cut the pool of billing from 40 to 10.", "severity": "SEV2",
    "root_cause": {"entity": "billing", "kind": "configuration", "change_id": SHA, "mechanism": "pool too small"},
    "onset": ONSET.isoformat(), "claims": CLAIMS,
    "ruled_out": [{"statement": "slow database", "why": "no such errors", "evidence": ["E2"]}],
}  # fmt: skip
TICKET = {
    "title": "billing: pool exhausted",
    "body": "Pool cut from 40 to 10.",
    "service": "billing",
    "severity": "SEV2",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_incident(tmp_path / "incident")


def _whole(run: Run) -> bool:
    return verify_chain(run.pk, run.n_steps, run.head_mac, run.steps.order_by("seq")) is None


def test_a_goal_becomes_a_confirmed_report_with_checked_claims(team: Team, alice: User, folder: Path) -> None:
    planner = ScriptedPlanner(LOOK, concludes(REPORT))
    run = go_on(start(team, alice, folder), planner)
    planner.done()
    assert (run.state, run.outcome) == (RunState.DONE, Outcome.CONFIRMED), run.report or run.failure
    assert [claim["verdict"] for claim in run.report["claims"]] == [
        "quote_found", "number_matches", "quote_found", "inference",
    ]  # fmt: skip
    assert run.report["checked"] == {"held": 4, "total": 4}
    assert [row.name for row in Evidence.objects.filter(run=run)] == ["E1", "E2", "E3"]
    assert _whole(run)


def test_a_ticket_waits_for_another_person_and_is_created_once(
    team: Team, alice: User, bob: User, folder: Path
) -> None:
    thinking = (
        Hypothesis("H1", "billing runs out of connections", "supported", (Claim(**CLAIMS[0]),), "E1", "billing"),
    )
    ask = calls(
        ("create_ticket", TICKET), rationale="The goal asks for a ticket.", hypotheses=thinking, answer="Pool cut."
    )
    run = go_on(start(team, alice, folder, "Investigate and create a ticket"), ScriptedPlanner(LOOK, ask))
    assert run.state == RunState.NEEDS_APPROVAL
    assert run.report["partial"] and run.report["outcome"] == Outcome.LIKELY
    assert run.lease_until is None, "a parked run frees its worker"
    approval = Approval.objects.get(run=run)
    assert approval.why == "The goal asks for a ticket."
    assert Ticket.objects.count() == 0

    decide_approval(approval.pk, user=bob, approve=True, args_sha256=approval.args_sha256)
    run = go_on(run, ScriptedPlanner(concludes(REPORT)))
    approval.refresh_from_db()
    assert (run.state, approval.state) == (RunState.DONE, ApprovalState.CONSUMED)
    assert Ticket.objects.get().title == TICKET["title"]
    assert _whole(run)


def test_a_denial_is_a_result_and_the_run_goes_on(team: Team, alice: User, bob: User, folder: Path) -> None:
    run = go_on(start(team, alice, folder), ScriptedPlanner(calls(("create_ticket", TICKET))))
    approval = Approval.objects.get(run=run)
    decide_approval(
        approval.pk, user=bob, approve=False, reason="We have a ticket already.", args_sha256=approval.args_sha256
    )
    planner = ScriptedPlanner(LOOK, concludes({**REPORT, "claims": []}))
    run = go_on(run, planner)
    told = planner.seen[0].items[-1]
    assert (told.status, told.summary) == ("denied", "Denied by bob: We have a ticket already.")
    assert (run.state, run.outcome, Ticket.objects.count()) == (RunState.DONE, Outcome.INCONCLUSIVE, 0)


def test_a_claim_that_does_not_hold_is_sent_back_once_and_then_listed(team: Team, alice: User, folder: Path) -> None:
    invented = {**CLAIMS[0], "id": "C9", "quote": "the database exploded"}
    wrong = {**REPORT, "claims": [*CLAIMS, invented]}
    planner = ScriptedPlanner(LOOK, concludes(wrong), concludes(wrong))
    run = go_on(start(team, alice, folder), planner)
    planner.done()
    assert planner.seen[2].items[-1] == SentBack((("C9", "E1 does not contain these words"),))
    assert [claim["id"] for claim in run.report["did_not_hold"]] == ["C9"]
    assert "C9" not in [claim["id"] for claim in run.report["claims"]]


def test_a_planners_mistake_is_a_result_not_a_failure(team: Team, alice: User, folder: Path) -> None:
    mistaken = calls(("drop_tables", {}), ("search_logs", {"pattern": "x", "colour": "red"}))
    planner = ScriptedPlanner(mistaken, LOOK, concludes(REPORT))
    run = go_on(start(team, alice, folder), planner)
    told = [item.summary for item in planner.seen[1].items[-2:]]
    assert told[0].startswith("There is no tool 'drop_tables'")
    assert told[1].startswith("search_logs: colour")
    assert run.state == RunState.DONE

"""Takes a run through its states with the record's own verbs, as a driver would. No planner and no tool is needed."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from runs.models import Approval, Run, Team, ToolCall
from runs.services import calls as ledger
from runs.services import drive
from runs.services.actors import Actor
from runs.services.approvals import decide_approval
from runs.services.leases import Lease, claim_run
from runs.services.policies import rule_on
from runs.services.runs import create_run
from runs.states import CallStatus

LOGS = {"name": "logs", "url": "file:///var/log/shop", "env": ""}
TICKET = {"title": "checkout: error rate is high", "body": "Errors since 02:14, see E1.", "service": "checkout",
          "severity": "SEV3"}  # fmt: skip
REPORT: dict[str, Any] = {
    "verdict": "cause", "summary": "checkout ran out of database connections.", "severity": "SEV2", "partial": True,
    "outcome": "LIKELY", "checked": {"held": 1, "total": 1}, "why_label": {"met": [], "unmet": []}, "stopped_by": "",
    "root_cause": {"entity": "checkout", "kind": "capacity", "change_id": None, "mechanism": "the pool is too small"},
    "suspects": [], "onset": "2026-11-23T02:14:00Z", "still_happening": {"ongoing": True, "latest": "", "normal": ""},
    "first_failing": "checkout", "affected": ["checkout"], "remediation": "", "timeline": [], "did_not_hold": [],
    "ruled_out": [], "not_checked": [], "actions": [],
    "claims": [
        {"id": "C1", "statement": "Errors rose.", "kind": "absence", "role": "symptom", "evidence": "E1", "quote": "",
         "figure": "", "value": None, "unit": "", "at": "", "based_on": [], "verdict": "nothing_found", "detail": ""}
    ],
}  # fmt: skip


def a_run(team: Team, starter: User, goal: str = "Why does checkout fail?", **more: Any) -> Run:
    """A QUEUED run of the starter."""
    more = {"origin": "web", "sources": [LOGS], **more}
    return create_run(goal=goal, team=team, actor=Actor.person(starter), **more).run


def claimed(run: Run) -> Lease:
    lease = claim_run(run.pk, "story")
    assert lease is not None
    run.refresh_from_db()
    return lease


def planned(run: Run, lease: Lease, tool: str, risk: str, args: dict[str, Any]) -> ToolCall:
    """PLAN → EXECUTE_TOOL with one call."""
    call = ledger.PlannedCall("r1", tool, args, risk, rule_on(run, tool, risk, args))
    drive.choose_tools(run, lease, [call], rationale="look", answer="", hypotheses=[])
    return run.calls.get(plan_seq=run.plan_seq)


def searched(run: Run, lease: Lease) -> None:
    """One read with evidence: EXECUTE_TOOL → EVALUATE → PLAN."""
    call = planned(run, lease, "search_logs", "read", {"pattern": "timeout"})
    ledger.start_call(run, lease, call)
    result = ledger.CallResult(
        CallStatus.SUCCESS, "3 lines", {"lines": ["a timeout"]}, {"total": 3.0}, source="shop:logs"
    )
    ledger.record_results(run, lease, [(call, result)])
    ledger.tools_returned(run, lease, 1)
    drive.replan(run, lease, words="go on", problems=[], partial=REPORT)


def parked(team: Team, starter: User, risk: str = "write", **more: Any) -> Approval:
    """A run that has read its logs and waits for people to allow a ticket."""
    run = a_run(team, starter, **more)
    lease = claimed(run)
    drive.begin(run, lease, [], {})
    searched(run, lease)
    call = planned(run, lease, "create_ticket", risk, TICKET)
    drive.ask_approval(run, lease, [call], "on-call must know", REPORT)
    return run.approvals.get()


def approved(approval: Approval, *voters: User) -> None:
    for voter in voters:
        decide_approval(
            approval.pk, user=voter, approve=True, args_sha256=approval.args_sha256, door="web",
            signed_in_at=timezone.now(),
        )  # fmt: skip


def finished(approval: Approval) -> Run:
    """The approved call runs, and the run ends with its report and ticket."""
    run = Run.objects.get(pk=approval.run_id)
    lease = claimed(run)
    call = ToolCall.objects.get(pk=approval.call_id)
    ledger.start_call(run, lease, call)
    data = {**call.args, "tracker": "local"}
    ledger.record_results(
        run, lease, [(call, ledger.CallResult(CallStatus.SUCCESS, "ticket made", data, source="tickets"))]
    )
    ledger.tools_returned(run, lease, 1)
    drive.finish(run, lease, REPORT | {"partial": False})
    return Run.objects.get(pk=run.pk)

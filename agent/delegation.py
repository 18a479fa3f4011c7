"""What becomes of a call of investigate_hypotheses: runs that read for this one, and what they found as its result."""

from __future__ import annotations

from typing import Any

from agent.proposals import DELEGATES
from runs.models import Run, ToolCall
from runs.services.calls import CallResult, record_results
from runs.services.leases import Lease
from runs.services.subruns import Question, begin_sub_runs, under_way, wait_for_sub_runs
from runs.states import RETURNED, CallStatus, RunState


def delegated(run: Run) -> ToolCall | None:
    """The call of this move that goes to sub-runs, if it has not returned."""
    return ToolCall.objects.filter(run=run, plan_seq=run.plan_seq, tool=DELEGATES).exclude(status__in=RETURNED).first()


def delegate(run: Run, lease: Lease, call: ToolCall) -> None:
    """Begin the sub-runs, wait for them, or take what they found: whatever comes next. Safe to repeat."""
    if call.status == CallStatus.PROPOSED:
        asked = call.args["questions"]
        begin_sub_runs(run, lease, call, [Question(one["question"], one["hypothesis"]) for one in asked])
    elif under_way(run).exists():
        wait_for_sub_runs(run, lease)
    else:
        record_results(run, lease, [(call, _found(run, call))])


def _found(run: Run, call: ToolCall) -> CallResult:
    asked = call.args["questions"]
    children = list(Run.objects.filter(parent=run, idempotency_key__startswith=f"sub {call.key} ").order_by("place"))
    findings = [_finding(child, one) for child, one in zip(children, asked, strict=True)]
    told = "; ".join(f"{one['name']}: {one['summary']}" for one in findings)
    return CallResult(status="success", summary=told[:1_000], data={"findings": findings}, source="sub-runs")


def _finding(child: Run, asked: dict[str, Any]) -> dict[str, Any]:
    report = child.report or {}
    cause = report.get("root_cause") or {}
    return {
        "name": f"S{child.place}", "run": child.pk, "hypothesis": asked["hypothesis"], "question": asked["question"],
        "outcome": child.outcome, "summary": report.get("summary") or child.failure or RunState(child.state).label,
        "reasoning": cause.get("mechanism", ""), "claims": [_claim(child, claim) for claim in report.get("claims", [])],
        "ruled_out": [ruled["statement"] for ruled in report.get("ruled_out", [])],
        "not_checked": [one["what"] for one in report.get("not_checked", [])], "stopped_by": child.stopped_by,
    }  # fmt: skip


def _claim(child: Run, claim: dict[str, Any]) -> dict[str, Any]:
    kept = {name: claim.get(name) for name in ("statement", "role", "kind", "quote", "figure", "value", "at")}
    return kept | {"evidence": f"S{child.place}.{claim['evidence']}" if claim.get("evidence") else ""}

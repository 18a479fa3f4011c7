"""Investigates folders as `investigate` does: each by a run of its own, driven in this process. Votes come at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Sum

from bench.answering import serve
from bench.billing import billed
from opspilot_site.database import prepare_database
from opspilot_site.inprocess import OWNER, Interrupt, drive_to_rest
from opspilot_site.reading import NothingToRead, read
from runs.models import Run, Step
from runs.services.actors import Actor
from runs.services.approvals import decide_approval
from runs.services.runs import create_run
from runs.services.teams import add_member, default_team
from runs.states import ApprovalState, Role, StepKind
from tools.registry import CONCLUSION

VOTER = "approver"


def main() -> None:
    serve(prepare=prepare, investigate=investigate)


def prepare() -> dict[str, Any]:
    prepare_database()
    voter, _ = User.objects.get_or_create(username=VOTER)
    add_member(default_team(), voter, Role.APPROVER)
    return {}


def investigate(folder: str, goal: str, planner: str) -> dict[str, Any]:
    """The report, and what it cost. `problem` says why there is none."""
    began = time.perf_counter()
    try:
        reading = read([folder], [])
    except NothingToRead as nothing:
        return {"report": {}, "tools": [], "problem": str(nothing), "seconds": time.perf_counter() - began}
    run = create_run(
        goal=goal, team=default_team(), actor=Actor.system(), origin="cli", sources=reading.sources,
        as_of=reading.as_of, planner=planner, leased_to=OWNER,
    ).run  # fmt: skip
    run = drive_to_rest(run, Interrupt())
    while _approve(run):
        run = drive_to_rest(Run.objects.get(pk=run.pk), Interrupt())
    return {**_outcome(run), "seconds": time.perf_counter() - began}


def _approve(run: Run) -> bool:
    """Whether something was asked. Nothing leaves: tickets are kept in the bench's own database."""
    voter = User.objects.get(username=VOTER)
    asked = list(run.approvals.filter(state=ApprovalState.PENDING))
    for approval in asked:
        decide_approval(approval.pk, user=voter, approve=True, args_sha256=approval.args_sha256, door="cli")
    return bool(asked)


def _outcome(run: Run) -> dict[str, Any]:
    is_over = run.is_terminal and run.report
    return {
        "report": run.report if is_over else {},
        "tools": [call.tool for call in run.calls.all() if call.tool != CONCLUSION],
        "evidence_bytes": run.evidence.aggregate(bytes=Sum("size"))["bytes"] or 0,
        "model": _model([run, *run.sub_runs.all()]),
        "problem": "" if is_over else f"{run.state}: {run.failure or run.hold_reason or 'no report'}",
    }


def _model(runs: Sequence[Run]) -> dict[str, Any]:
    """What its model calls cost, those of its sub-runs among them. `billed` are prompt tokens (bench/billing.py)."""
    steps = Step.objects.filter(run__in=runs, kind=StepKind.MODEL_CALL)
    return {
        "calls": sum(run.n_model_calls for run in runs),
        "billed": sum(_billed(step.payload.get("usage", {})) for step in steps),
        "micro_usd": sum(run.cost_micro_usd for run in runs),
        "cost_known": all(run.cost_known for run in runs),
        "sub_runs": len(runs) - 1,
    }


def _billed(usage: dict[str, Any]) -> float:
    fresh, written, read = (usage.get(f"{name}_tokens", 0) for name in ("input", "cache_write", "cache_read"))
    return billed(fresh, written, read)


if __name__ == "__main__":
    main()

"""Investigates folders as `investigate` does: each by a run of its own, driven in this process. Votes come at once."""

from __future__ import annotations

import time
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Sum

from bench.answering import serve
from opspilot_site.database import prepare_database
from opspilot_site.inprocess import OWNER, Interrupt, drive_to_rest
from opspilot_site.reading import NothingToRead, read
from runs.models import Run
from runs.services.actors import Actor
from runs.services.approvals import decide_approval
from runs.services.runs import create_run
from runs.services.teams import add_member, default_team
from runs.states import ApprovalState, Role
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
        "problem": "" if is_over else f"{run.state}: {run.failure or run.hold_reason or 'no report'}",
    }


if __name__ == "__main__":
    main()

"""Makes rows in a given state, for tests that need one without walking there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from runs.audit.chain import canonical, digest
from runs.models import Approval, Run, Team, ToolCall
from runs.services.approvals import open_question, open_request
from runs.services.policies import Ruling
from runs.states import CallStatus, Effect, Role, RunState

TICKET = {"title": "orders-api: pool exhausted", "body": "All ten connections are in use.", "service": "orders-api",
          "severity": "SEV2"}  # fmt: skip


def make_run(team: Team, starter: User | None, **columns: Any) -> Run:
    """A run as it could stand there, without Steps."""
    name = f"user:{starter.username}" if starter else "cli:root"
    defaults = {
        "goal": "Why did checkout page?", "starter": starter, "started_by": name, "planner": "analyst",
        "as_of": timezone.now(), "budget": dict(settings.BUDGET),
        "sources": [{"name": "shop", "url": "file:///nowhere", "env": ""}],
    }  # fmt: skip
    return Run.objects.create(team=team, **{**defaults, **columns})


def make_call(run: Run, index: int = 0, **columns: Any) -> ToolCall:
    args = columns.pop("args", TICKET)
    defaults = {
        "plan_seq": 1, "request_id": f"r{index}", "tool": "create_ticket", "risk": "write", "effect": Effect.APPROVE,
        "status": CallStatus.WAITING, "key": digest(f"{run.pk} {index}"),
    }  # fmt: skip
    return ToolCall.objects.create(
        run=run, index=index, args=args, args_sha256=digest(canonical(args)), **{**defaults, **columns}
    )


def make_request(
    team: Team, starter: User | None, *, votes: int = 1, effect: Effect = Effect.APPROVE, run: Run | None = None,
    index: int = 0, risk: str = "write", args: dict[str, Any] | None = None,
) -> Approval:  # fmt: skip
    """A run that waits for a decision on a ticket."""
    run = run or make_run(team, starter, state=RunState.NEEDS_APPROVAL, plan_seq=1)
    ruling = Ruling(effect, votes, Role.APPROVER, "writes need votes")
    call = make_call(run, index, risk=risk, args=args or TICKET)
    return open_request(run, call, ruling, "The goal asks for a ticket.")


def make_question(team: Team, starter: User | None, run: Run | None = None, risk: str = "write") -> Approval:
    """A run that waits to be told whether its ticket was made: the answer to the call was lost."""
    run = run or make_run(team, starter, state=RunState.NEEDS_APPROVAL, plan_seq=1)
    sent_at = timezone.now() - timedelta(minutes=3)
    return open_question(run, make_call(run, risk=risk, status=CallStatus.OUTCOME_UNKNOWN, started_at=sent_at))

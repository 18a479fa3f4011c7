"""Runs that Claude's stand-in thinks for, driven in this process as a worker drives them. No assertion here."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from agent import jobs
from runs import breaker
from runs.models import PolicyRule, Run, Team
from runs.services.actors import Actor
from runs.services.leases import claim_run
from runs.services.runs import create_run
from runs.states import Effect
from tests.agent.claude.cases import a_call, a_note, a_turn
from tests.flows.incident import AS_OF

TICKET = {
    "title": "billing: pool exhausted", "body": "The pool was cut from 40 to 10.", "service": "billing",
    "severity": "SEV2",
}  # fmt: skip
CANNOT_TELL = {"verdict": "cannot_tell", "summary": "It cannot be told from this.", "claims": []}


@dataclass(frozen=True, slots=True)
class Driven:
    """A run as it stood when its driver let go of it, and how long that took."""

    run: Run
    seconds: float


def think_with(settings: Any, url: str, timeout_s: float = 30, **more: Any) -> None:
    """Point the Claude planner at this address."""
    settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL, settings.MODEL_TIMEOUT_S = "key-1", url, timeout_s
    for name, value in more.items():
        setattr(settings, name, value)


def let_tickets_run(team: Team) -> None:
    """A policy under which a ticket needs nobody, so that what a fault repeats is seen."""
    PolicyRule.objects.create(team=team, order=0, name="tickets run", tool="create_ticket", effect=Effect.RUN)


def a_run(team: Team, starter: User, folder: Path, goal: str = "Why? Create a ticket.", **more: Any) -> Run:
    sources = [{"name": "shop", "url": f"file://{folder}", "env": ""}]
    return create_run(
        goal=goal, team=team, actor=Actor.person(starter), origin="web", sources=sources, planner="claude",
        as_of=AS_OF, **more,
    ).run  # fmt: skip


def drive(run: Run) -> Driven:
    """Claim it and drive it until it waits or ends, as a worker's slot does."""
    started = time.monotonic()
    lease = claim_run(run.pk, "test")
    assert lease is not None, "the run cannot be claimed"
    jobs.drive_leased(lease)
    return Driven(Run.objects.get(pk=run.pk), time.monotonic() - started)


def let_hold_pass(run: Run) -> None:
    """As much time for the run as for what the workers tell each other."""
    with suppress(redis.RedisError):  # a test without one has no breaker either
        redis.Redis.from_url(settings.REDIS_URL).delete(f"breaker:{run.planner}:closed_until")
    let_own_hold_pass(run)


def let_own_hold_pass(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(hold_until=timezone.now() - timedelta(seconds=1))


def drive_to_end(run: Run, most: int = 60) -> Run:
    """Through every hold, as time would pass for the run and for the breaker."""
    for _ in range(most):
        run = drive(run).run
        if not run.is_active:
            return run
        let_hold_pass(run)
        breaker.report_answer("claude")
    raise AssertionError(f"run {run.pk} is still {run.state} after {most} drives: {run.hold_reason}")


def looks(turn: int = 0) -> dict[str, Any]:
    return a_turn(a_note(f"n{turn}"), a_call(f"s{turn}", pattern=f"word{turn}"))


def opens_ticket() -> dict[str, Any]:
    return a_turn(a_note("nt"), a_call("t", "create_ticket", **TICKET))


def reports(**report: Any) -> dict[str, Any]:
    return a_turn(a_call("end", "generate_report", **(CANNOT_TELL | report)))

"""Drives runs in the test's own process with real tools in real child processes."""

from __future__ import annotations

from pathlib import Path

from django.contrib.auth.models import User

from agent.jobs import tool_host
from agent.loop import Outfit, drive
from agent.planner import Planner
from runs.models import Run, Team
from runs.services.actors import Actor
from runs.services.leases import claim_run, release_lease
from runs.services.runs import create_run
from tests.flows.incident import AS_OF


def start(team: Team, starter: User, folder: Path, goal: str = "Why does billing time out?", **more: object) -> Run:
    sources = [{"name": "shop", "url": f"file://{folder}", "env": ""}]
    created = create_run(
        goal=goal, team=team, actor=Actor.person(starter), origin="web", sources=sources, as_of=AS_OF, **more
    )
    return created.run


def go_on(run: Run, planner: Planner) -> Run:
    """Claim and drive the run until it waits or ends; answers it re-read."""
    lease = claim_run(run.pk, "test")
    assert lease is not None, "the run cannot be claimed"
    driven = Run.objects.get(pk=run.pk)
    drive(driven, lease, Outfit(planner, tool_host()))
    release_lease(lease)
    return Run.objects.get(pk=run.pk)

"""A database that takes nothing more: no half step, the run stays where it was and goes on later, the API says 503."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.test import Client

from agent.loop import Outfit, drive
from agent.toolhost import CallEnd, HostedCall
from runs.invariants import check_run
from runs.models import Run, Team
from runs.services.leases import claim_run, release_lease
from runs.states import RunState
from tests.agent.scripted import ScriptedPlanner, calls, concludes
from tests.runs.making import make_run
from tests.runs.story import a_run
from tools.base import Status, ToolResult

pytestmark = pytest.mark.django_db(transaction=True)
REPORT = {"verdict": "cannot_tell", "summary": "Nothing is known.", "severity": "SEV4", "claims": []}
LONG = "Why? " * 700  # more than a page that is left over can hold


@contextmanager
def full() -> Iterator[None]:
    """SQLite may not grow its file by a page, which is what it meets when the disk is full."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM")
        pages = cursor.execute("PRAGMA page_count").fetchone()[0]
        cursor.execute(f"PRAGMA max_page_count = {pages}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA max_page_count = 1073741823")


@contextmanager
def locked() -> Iterator[None]:
    """Somebody else holds the lock for longer than anyone waits."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 50")
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
        yield
    finally:
        other.close()
        connection.close()  # the next one waits as long as the settings say


@contextmanager
def table_locked() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")
    with psycopg.connect(**{**connection.get_connection_params(), "autocommit": False}) as other:
        other.execute("LOCK TABLE runs_step")
        yield
        other.rollback()
    connection.close()


Trouble = Callable[[], AbstractContextManager[None]]


@pytest.fixture(params=[full, locked])
def trouble(request: pytest.FixtureRequest) -> Trouble:
    return table_locked if connection.vendor == "postgresql" else request.param


class Tools:
    """Answers with more than fits."""

    def call(self, call: HostedCall) -> CallEnd:
        found = {"sources": [], "alert": {}, "noise": random.Random(1).randbytes(40_000).hex()}
        return CallEnd(ToolResult(Status.SUCCESS, "Seen.", data=found, source="house"), "returned", 1)

    def call_many(self, called: list[HostedCall]) -> list[CallEnd]:
        return [self.call(one) for one in called]


def go(run: Run, planner: Any) -> Run:
    lease = claim_run(run.pk, "test")
    assert lease is not None
    drive(Run.objects.get(pk=run.pk), lease, Outfit(planner, Tools()))
    release_lease(lease)
    return Run.objects.get(pk=run.pk)


def test_a_run_stays_at_its_last_step_and_goes_on(team: Team, alice: User, trouble: Trouble) -> None:
    run = a_run(team, alice)
    lease = claim_run(run.pk, "test")
    assert lease is not None
    driven = Run.objects.get(pk=run.pk)
    planner = ScriptedPlanner(*[calls(("list_changes", {"around": LONG})) for _ in range(3)])
    with trouble(), pytest.raises(OperationalError):
        drive(driven, lease, Outfit(planner, Tools()))
    release_lease(lease)
    stood = Run.objects.get(pk=run.pk)
    assert stood.is_active, "it is neither failed nor ended"
    assert list(check_run(stood)) == [], "no half step"
    while (stood := go(stood, ScriptedPlanner(calls(("list_changes", {})), concludes(REPORT)))).is_active:
        pass
    assert stood.state == RunState.DONE
    assert list(check_run(stood)) == []


def test_the_api_says_that_it_cannot_now(as_alice: Client, settings: Any, tmp_path: Path, trouble: Trouble) -> None:
    settings.SOURCE_URLS = {**settings.SOURCE_URLS, "data": [("house", f"file://{tmp_path}")]}
    for _ in range(3):  # what every request reads is read already, and every table has its pages
        make_run(Team.objects.get(), None)

    def post() -> Any:
        body = {"goal": LONG, "start": False}
        return as_alice.post("/api/runs", body, content_type="application/json", HTTP_IDEMPOTENCY_KEY="once")

    with trouble():
        refused = post()
    assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
    assert refused["Retry-After"]
    assert post().status_code == 201, "the same request again, with the same key"
    assert Run.objects.filter(idempotency_key="once").count() == 1

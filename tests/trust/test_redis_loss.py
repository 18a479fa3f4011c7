"""Redis and the database may be lost, emptied, restarted or late: that is a delay, and no run is lost by it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.contrib.auth.models import User
from django.test import Client

from opspilot_site.test_machine import postgres_programs, throwaway_postgres
from runs import queue
from runs.models import Run, Team
from tests.trust.test_kill9 import QUICK, drill, hold_to_promise

LATE_S = 8  # a request that waits longer than this for Redis has been stopped by it


def test_a_flushed_redis_loses_no_run(fast_folder: Path) -> None:
    hold_to_promise(drill(fast_folder, "flush", "--runs", "10", **QUICK))


@pytest.mark.slow
@pytest.mark.long
def test_fifty_runs_outlive_a_flushed_and_a_restarted_redis(fast_folder: Path, database_url: str) -> None:
    words = ("flush", "redis_restart", "flush", "redis_restart", "--runs", "50")
    hold_to_promise(drill(fast_folder, *words, database_url=database_url, **QUICK))


@pytest.fixture
def postgres_url() -> Iterator[str]:
    if (programs := postgres_programs()) is None:
        pytest.skip("this machine lacks PostgreSQL: sudo apt install postgresql")
    with throwaway_postgres(programs, durable=True) as url:
        yield url


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [15, pytest.param(120, marks=pytest.mark.long)])
def test_fifty_runs_outlive_a_database_that_restarts_every_few_seconds(
    fast_folder: Path, postgres_url: str, seconds: int
) -> None:
    words = ("postgres", "--runs", "50", "--think", "1", "--seconds", str(seconds))
    hold_to_promise(drill(fast_folder, *words, database_url=postgres_url, **QUICK))


@pytest.fixture
def stopped_redis(redis_url: str) -> Iterator[None]:
    """A Redis that is there and does not answer."""
    pid = int(redis.Redis.from_url(redis_url).info("server")["process_id"])
    os.kill(pid, signal.SIGSTOP)
    yield
    os.kill(pid, signal.SIGCONT)


@pytest.fixture
def sources(settings: Any, tmp_path: Path) -> None:
    settings.SOURCE_URLS = {**settings.SOURCE_URLS, "data": [("house", f"file://{tmp_path}")]}


def _post(client: Client, key: str) -> int:
    return client.post(
        "/api/runs", {"goal": "Why?", "start": True}, content_type="application/json", HTTP_IDEMPOTENCY_KEY=key
    ).status_code


@pytest.mark.django_db(transaction=True)
def test_a_run_is_taken_while_redis_is_away(as_alice: Client, sources: None, settings: Any, tmp_path: Path) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    assert _post(as_alice, "away") == 201
    run = Run.objects.get()
    assert run.enqueued_at is None, "nothing took the hint: the reconciler will find the run"
    health = as_alice.get("/healthz").json()
    assert (health["status"], health["redis"]) == ("degraded", "away")


@pytest.mark.django_db(transaction=True)
def test_a_run_is_taken_while_redis_does_not_answer(as_alice: Client, sources: None, stopped_redis: None) -> None:
    started = time.monotonic()
    assert _post(as_alice, "late") == 201
    health = as_alice.get("/healthz").json()
    assert (health["status"], health["redis"]) == ("degraded", "away")
    assert time.monotonic() - started < LATE_S


@pytest.mark.django_db(transaction=True)
def test_a_worker_is_known_again_after_redis_forgot_it(redis_url: str, team: Team, alice: User) -> None:
    found = queue._queue()
    worker = queue.RunWorker([found], connection=found.connection, serializer=found.serializer)
    worker.register_birth()
    redis.Redis.from_url(redis_url).flushall()
    assert queue.worker_names() == []
    worker.heartbeat()
    assert queue.worker_names() == [worker.name]
    assert queue.newest_heartbeat() is not None
    worker.register_death()

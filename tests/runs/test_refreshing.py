"""A run is re-read by many drivers of one process at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.db import connection

from runs.models import Run
from runs.services.teams import seed_defaults
from tests.runs.making import make_run

THREADS, TIMES = 8, 25


@pytest.mark.django_db(transaction=True)
def test_drivers_in_threads_of_one_process_re_read_their_runs_at_once() -> None:
    """The library lifts the protection of `state` on the class while it re-reads: others restored it too soon."""
    team, starter = seed_defaults(), User.objects.create_user("alice")
    runs = [make_run(team, starter) for _ in range(THREADS)]
    together = threading.Barrier(THREADS)

    def re_read(run: Run) -> str:
        together.wait()
        try:
            for _ in range(TIMES):
                run.refresh_from_db()
        finally:
            connection.close()
        return run.state

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(re_read, runs)) == ["QUEUED"] * THREADS
    with pytest.raises(AttributeError):
        runs[0].state = "DONE"

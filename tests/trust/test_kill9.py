"""Any process may be killed, stopped or frozen with runs in flight: all of them go on within a minute and end once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from opspilot_site.test_machine import postgres_programs, throwaway_postgres
from tests.trust.surroundings import ROOT, environment

PROMISE_S = 60
QUICK = {"OPSPILOT_LEASE_S": "3", "OPSPILOT_HEARTBEAT_S": "1", "OPSPILOT_RECONCILE_S": "1"}
ALL = ("worker", "workers", "web", "reconciler", "template", "frozen", "terminated", "everything")


def drill(folder: Path, *words: str, database_url: str = "", **extra: str) -> list[dict[str, Any]]:
    """What each kind showed, printed too."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.trust.drills", *words], cwd=ROOT, check=False, stdout=subprocess.PIPE, text=True,
        env=environment(folder, database_url, **extra),
    )  # fmt: skip
    rounds = [json.loads(line) for line in ran.stdout.splitlines()]
    for told in rounds:
        slowest = f", the last after {told['resumed_s'][-1]:g} s" if told["resumed_s"] else ""
        sys.stdout.write(
            f"{told['kind']} on {told['database']}, leases of {told['lease_s']} s: {told['hit']} of {told['runs']} "
            f"runs hit, {len(told['resumed_s'])} taken over{slowest}; all ended after {told['all_ended_s']:g} s\n"
        )
    assert rounds, f"the drill itself ended with {ran.returncode}"
    return rounds


def hold_to_promise(rounds: list[dict[str, Any]]) -> None:
    for told in rounds:
        assert told["wrong"] == [], told["kind"]
        assert all(seconds <= PROMISE_S for seconds in told["resumed_s"]), told["kind"]


def test_runs_go_on_after_a_worker_was_killed(fast_folder: Path) -> None:
    rounds = drill(fast_folder, "worker", "--runs", "8", **QUICK)
    hold_to_promise(rounds)
    assert rounds[0]["hit"] > 0, "the worker was killed while it drove nothing"


FROZEN = """
import os, signal
from django.db import transaction
from opspilot_site.database import prepare_database
from runs.models import Run
from runs.services.teams import default_team
from tests.runs.making import make_run
prepare_database()
run = make_run(default_team(), None)
with transaction.atomic():
    Run.objects.select_for_update().get(pk=run.pk)
    print(run.pk, flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
    Run.objects.filter(pk=run.pk).update(goal="what it wanted to write before it froze")
"""
TAKEN = """
import sys
from runs.models import Run
from runs.services.leases import claim_run
lease = claim_run(Run.objects.get().pk, "another", alone=True)
print(lease.epoch, Run.objects.get().goal)
"""


@pytest.mark.slow
def test_a_process_that_froze_in_a_transaction_lets_go_of_its_run(fast_folder: Path) -> None:
    if (programs := postgres_programs()) is None:
        pytest.skip("this machine lacks PostgreSQL: sudo apt install postgresql")
    with throwaway_postgres(programs) as url:
        env = environment(fast_folder, url)
        words = [sys.executable, "manage.py", "shell", "--no-imports", "-c"]
        frozen = subprocess.Popen([*words, FROZEN], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert frozen.stdout is not None
        assert frozen.stdout.readline().strip() == b"1", frozen.communicate()[1].decode()[-500:]
        taken = subprocess.run(
            [*words, TAKEN], cwd=ROOT, env=env, check=True, capture_output=True, text=True, timeout=PROMISE_S
        )
        frozen.send_signal(signal.SIGCONT)
        said = frozen.communicate(timeout=PROMISE_S)[1].decode()
    assert taken.stdout.split(maxsplit=1) == ["1", "Why did checkout page?\n"]
    assert frozen.returncode != 0
    assert "idle-in-transaction timeout" in said, "what it had begun is not written any more"


@pytest.mark.slow
@pytest.mark.long
def test_runs_go_on_whatever_is_killed(fast_folder: Path, database_url: str) -> None:
    rounds = drill(fast_folder, *ALL, *ALL, "--runs", "20", database_url=database_url, **QUICK)
    hold_to_promise(rounds)
    assert {told["kind"] for told in rounds if told["hit"]} >= {"worker", "workers", "frozen", "terminated"}


@pytest.mark.slow
@pytest.mark.long
def test_runs_go_on_within_a_minute_with_the_timings_of_production(fast_folder: Path) -> None:
    hold_to_promise(drill(fast_folder, *ALL, "--runs", "20", "--think", "1"))

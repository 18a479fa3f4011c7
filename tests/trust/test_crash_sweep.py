"""A run struck anywhere ends as if nothing had happened, and the sweep that says so finds bugs planted on purpose."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.trust.mutants import MUTANTS
from tests.trust.surroundings import ROOT, environment

LOCK = Path(__file__).with_name("points.lock")
# Where each planted bug must show, so that looking for it again need not try every schedule.
SHOWS = {
    "no_key": ("S2", "K", "tool.result"),
    "enqueue_after_commit": ("S1", "K", "queue.enqueue"),
    "two_tx": ("S1", "K", "append.write"),
    "no_fence": ("S1", "Z", "model"),
}


def sweep(folder: Path, database_url: str = "", *words: str) -> dict[str, Any]:
    """The sweep's summary; what went wrong is on stderr, which pytest shows."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.trust.sweep", *words], cwd=ROOT, check=False, stdout=subprocess.PIPE, text=True,
        env=environment(folder, database_url, OPSPILOT_LOG_LEVEL="CRITICAL"),
    )  # fmt: skip
    assert ran.stdout, f"the sweep itself ended with {ran.returncode}"
    summary = json.loads(ran.stdout.splitlines()[-1])
    sys.stdout.write(
        f"{summary['database']}: {summary['points']} points, {sum(summary['passes'].values())} passes, "
        f"{summary['schedules']} schedules in {summary['seconds']:g} s, {len(summary['wrong'])} wrong\n"
    )
    return summary


def test_a_run_that_was_struck_ends_as_if_nothing_had_happened(fast_folder: Path) -> None:
    summary = sweep(fast_folder, "", "--every", "7")
    assert summary["wrong"] == []
    _hold_to_lock(summary)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("scenarios", ["S1,S2,S3", "S4,S5,S6", "S7,S8,S9", "S10,S11"])
def test_a_run_struck_at_any_point_ends_as_if_nothing_had_happened(
    fast_folder: Path, database_url: str, scenarios: str
) -> None:
    assert sweep(fast_folder, database_url, "--scenarios", scenarios)["wrong"] == []


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_sweep_finds_a_planted_bug(fast_folder: Path, mutant: str) -> None:
    scenario, mode, point = SHOWS[mutant]
    found = sweep(fast_folder, "", "--mutant", mutant, "--scenarios", scenario, "--modes", mode, "--only", point)
    assert found["wrong"], f"{mutant} was not found in {found['schedules']} schedules"


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_sweep_finds_a_planted_bug_without_being_told_where(
    fast_folder: Path, database_url: str, mutant: str
) -> None:
    assert sweep(fast_folder, database_url, "--mutant", mutant, "--scenarios", "S1,S2")["wrong"]


def _hold_to_lock(summary: dict[str, Any]) -> None:
    """A crash point that disappears takes its schedules with it, silently: their number may only grow."""
    locked = json.loads(LOCK.read_text())
    assert summary["points"] >= locked["points"]
    shrunk = {name: count for name, count in locked["passes"].items() if summary["passes"].get(name, 0) < count}
    assert not shrunk, f"fewer passes than points.lock says: {shrunk}; now {summary['passes']}"

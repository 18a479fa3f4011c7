"""The demo from its first word to its ticket, with every process that it starts."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

from django.conf import settings

from tests.flows.test_up import free_port
from tests.processes import product_environment


def _demo(data: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "demo", "--port", str(free_port()), *words],
        cwd=settings.BASE_DIR, env=product_environment(OPSPILOT_DATA_DIR=str(data), **env), capture_output=True,
        text=True, check=False, timeout=180,
    )  # fmt: skip


def test_once_goes_from_the_goal_to_a_report_and_a_ticket(tmp_path: Path) -> None:
    result = _demo(tmp_path, "--once", "--seed", "87", OPSPILOT_DEMO="1")

    assert result.returncode == 0, result.stderr + result.stdout
    assert "✓ incident" in result.stdout
    assert "✋ approval" in result.stdout
    assert "✔ approved      by bob" in result.stdout
    assert "Ticket: requested" in result.stdout
    rows = sqlite3.connect(tmp_path / "opspilot.sqlite3")
    assert rows.execute("select state, outcome in ('CONFIRMED', 'LIKELY'), origin from runs_run").fetchall() == [
        ("DONE", 1, "demo")
    ]
    assert rows.execute("select count(*) from runs_ticket").fetchone() == (1,)


def test_an_unknown_scenario_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    result = _demo(tmp_path, "--scenario", "volcano", OPSPILOT_DEMO="1")

    assert result.returncode == 2
    assert "no scenario 'volcano'; there are certificate-expiry, db-pool-exhaustion" in result.stderr


def test_without_its_own_settings_it_does_not_start(tmp_path: Path) -> None:
    result = _demo(tmp_path)

    assert result.returncode == 2
    assert "./opspilot demo" in result.stderr

"""`investigate` as a person runs it: its own process, no Redis, the stream on stderr, the report on stdout."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings

from tests.processes import product_environment
from tools.simulator import load_scenario, simulate

AS_OF = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("incident")
    simulate(load_scenario("db-pool-exhaustion"), 41, AS_OF, folder)
    return folder


def _investigate(data: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "investigate", *words],
        cwd=settings.BASE_DIR, env=product_environment(OPSPILOT_DATA_DIR=str(data), **env), capture_output=True,
        text=True, check=False, timeout=120,
    )  # fmt: skip


def test_a_question_ends_in_a_report_on_stdout(incident: Path, tmp_path: Path) -> None:
    result = _investigate(tmp_path, "--data", str(incident), "Why do requests fail?")

    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("# ")
    assert "## Claims" in result.stdout
    assert "✓ " in result.stdout
    assert "audit chain intact" in result.stdout
    assert "◐ gathering" in result.stderr
    assert "Answer:" in result.stderr
    assert not (tmp_path / "redis").exists()


def test_json_is_one_object_and_nothing_else(incident: Path, tmp_path: Path) -> None:
    result = _investigate(tmp_path, "--json", "--data", str(incident), "Why do requests fail?")

    answer = json.loads(result.stdout)
    assert set(answer) == {"run_id", "state", "report"}
    assert answer["state"] == "DONE"
    assert answer["report"]["checked"]["held"] == answer["report"]["checked"]["total"] > 0
    assert result.stderr == ""


def test_a_wanted_ticket_parks_the_run_with_the_report_so_far(incident: Path, tmp_path: Path) -> None:
    result = _investigate(tmp_path, "--data", str(incident), "Why do requests fail? Create a ticket if required.")

    assert result.returncode == 3, result.stderr
    assert result.stdout.startswith("# ")
    assert "✋ approval" in result.stderr
    assert "Parked at approval 1; decide it with ./opspilot approve 1" in result.stderr


def test_quiet_prints_only_the_report(incident: Path, tmp_path: Path) -> None:
    result = _investigate(tmp_path, "-q", "--data", str(incident), "Why do requests fail?")

    assert result.stderr == ""
    assert result.stdout.startswith("# ")


def test_a_planner_that_cannot_think_fails_the_run(incident: Path, tmp_path: Path) -> None:
    result = _investigate(tmp_path, "--data", str(incident), "Why?", OPSPILOT_PLANNER="claude")

    assert result.returncode == 1
    assert "ANTHROPIC_API_KEY is not set" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["why?"], "OpsPilot has nothing to read yet."),
        (["--data", "no-such-folder", "why?"], "There is no folder no-such-folder."),
        (["--source", "loki", "why?"], "No source is called loki."),
        (["--data", "{incident}", "  "], "a goal cannot be empty"),
        (["--data", "{incident}", "x" * 4_001], "at most 4,000 fit"),
        (["--data", "{empty}", "why?"], "holds no telemetry"),
        (["--data", "{empty}/../empty", "why?"], "{empty} holds no telemetry"),
        (["--data", "{picture}", "why?"], "picture.png: 1 row, none with a time at the start"),
    ],
)
def test_wrong_usage_is_a_sentence_and_exit_2(words: list[str], sentence: str, incident: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\x00")
    places = {"incident": incident, "empty": tmp_path / "empty", "picture": tmp_path / "picture.png"}
    named = [word.format(**places) for word in words]

    result = _investigate(tmp_path / "data", *named)

    assert (result.returncode, result.stdout) == (2, "")
    assert sentence.format(**places) in result.stderr
    assert "Traceback" not in result.stderr


def test_a_wrong_token_is_refused_before_anything_runs(incident: Path, tmp_path: Path) -> None:
    result = _investigate(tmp_path, "--data", str(incident), "Why?", OPSPILOT_TOKEN="ops_no_such")

    assert result.returncode == 2
    assert "This personal token is unknown, expired or revoked" in result.stderr


def test_a_log_and_one_table_of_metrics_are_enough(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    lines = [f"2026-03-01T{10 + m // 60:02}:{m % 60:02}:00Z INFO shop request {m} done" for m in range(100)]
    lines += [f"2026-03-01T11:{40 + m % 20:02}:{m // 20:02}Z ERROR shop no space left on device" for m in range(200)]
    (folder / "app.log").write_text("\n".join(lines) + "\n")
    rows = [
        f"2026-03-01T{10 + m // 60:02}:{m % 60:02}:00Z,shop,error_rate,{0.4 if m >= 100 else 0.01}" for m in range(120)
    ]
    (folder / "metrics.csv").write_text("timestamp,service,metric,value\n" + "\n".join(rows) + "\n")

    result = _investigate(tmp_path / "data", "--data", str(folder), "Why does shop fail?")

    assert result.returncode == 0, result.stderr
    assert "no space left on device" in result.stdout

"""Investigations that read services, not only folders: the same cause is found; one that fails stops nothing."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.processes import product_environment
from tests.standins.metric_servers import fill, victoria_metrics
from tests.standins.vendor import running
from tools.simulator import load_scenario, simulate


@pytest.mark.skipif(not shutil.which("victoria-metrics"), reason="VictoriaMetrics is not installed")
def test_the_cause_is_found_with_metrics_from_a_server(tmp_path: Path) -> None:
    truth = simulate(load_scenario("db-pool-exhaustion"), 41, datetime.now(UTC), tmp_path / "incident")
    lines = _samples(tmp_path / "incident" / "metrics.csv")
    (tmp_path / "incident" / "metrics.csv").unlink()
    with victoria_metrics(tmp_path) as url:
        fill(url, lines)
        report = _investigate(tmp_path, str(tmp_path / "incident"), f"prod=victoriametrics+{url}")
    assert report["root_cause"]["entity"] == truth.entity
    assert report["root_cause"]["change_id"] == truth.change_id
    assert report["checked"]["held"] == report["checked"]["total"] > 0


@pytest.mark.skipif(not shutil.which("victoria-metrics"), reason="VictoriaMetrics is not installed")
@pytest.mark.parametrize("store", ["loki", pytest.param("elasticsearch", marks=pytest.mark.slow)])
def test_the_cause_is_found_with_everything_behind_services(store: str, tmp_path: Path) -> None:
    """Logs and metrics of a server, which say not how far back they reach, changes and traces beside them in files."""
    folder = tmp_path / "incident"
    truth = simulate(load_scenario("db-pool-exhaustion"), 41, datetime.now(UTC), folder)
    lines = [json.loads(line) for line in (folder / "logs.ndjson").read_text().splitlines()]
    rows = [_for_loki(line) if store == "loki" else _for_elasticsearch(line) for line in lines]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    samples = _samples(folder / "metrics.csv")
    for gone in ("logs.ndjson", "metrics.csv", "alert.json"):
        (folder / gone).unlink()
    with victoria_metrics(tmp_path) as url, running(f"{store}_api", str(tmp_path / "rows.json")) as logs:
        fill(url, samples)
        index = "" if store == "loki" else "/logs-*"
        sources = [f"prod=victoriametrics+{url}", f"logs={store}+{logs('ok')}{index}", str(folder)]
        report = _investigate(tmp_path, *sources, goal="Investigate database timeouts in the last 2 hours")

    assert report["root_cause"]["entity"] == truth.entity
    assert report["root_cause"]["change_id"] in truth.change_ids
    assert report["checked"]["held"] == report["checked"]["total"] > 0


def _for_loki(line: dict[str, Any]) -> list[Any]:
    labels = {"service_name": line["service"], "detected_level": line["severity_text"].lower()}
    return [_ms(line["timestamp"]) * 1_000_000, labels, line["msg"]]


def _for_elasticsearch(line: dict[str, Any]) -> dict[str, Any]:
    level = line["severity_text"].lower()
    return {
        "@timestamp": line["timestamp"],
        "service.name": line["service"],
        "log.level": level,
        "message": line["msg"],
    }


def _samples(table: Path) -> list[str]:
    """A metrics table as VictoriaMetrics takes it in."""
    with table.open() as file:
        return [
            f'{row["metric"]}{{service="{row["service"]}"}} {row["value"]} {_ms(row["timestamp"])}'
            for row in csv.DictReader(file)
        ]


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000)


@pytest.mark.parametrize(
    "fault", ["late-500", *(pytest.param(one, marks=pytest.mark.slow) for one in ("late-malformed", "late-cut", "401"))]
)
def test_a_log_service_that_fails_in_the_middle_ends_no_run(fault: str, tmp_path: Path) -> None:
    truth = simulate(load_scenario("db-pool-exhaustion"), 41, datetime.now(UTC), tmp_path / "incident")
    (tmp_path / "lines.json").write_text(json.dumps([[0, {"service_name": "shop"}, "a line of long ago"]]))
    with running("loki_api", str(tmp_path / "lines.json")) as url:
        report = _investigate(tmp_path, str(tmp_path / "incident"), f"prod=loki+{url(fault)}")

    assert report["root_cause"]["entity"] == truth.entity


@pytest.mark.parametrize(
    "fault", [pytest.param(one, marks=pytest.mark.slow) for one in ("500", "late-cut", "malformed")]
)
def test_an_index_that_fails_ends_no_run(fault: str, tmp_path: Path) -> None:
    truth = simulate(load_scenario("db-pool-exhaustion"), 41, datetime.now(UTC), tmp_path / "incident")
    row = {"@timestamp": "2026-01-01T00:00:00Z", "message": "a line of long ago", "service.name": "shop"}
    (tmp_path / "rows.json").write_text(json.dumps([row]))
    with running("elasticsearch_api", str(tmp_path / "rows.json")) as url:
        report = _investigate(tmp_path, str(tmp_path / "incident"), f"prod=elasticsearch+{url(fault)}/logs-*")

    assert report["root_cause"]["entity"] == truth.entity


def _investigate(tmp_path: Path, *sources: str, goal: str = "Why is it slow?") -> dict[str, Any]:
    words = [word for source in sources for word in ("--data", source)]
    result = subprocess.run(
        [sys.executable, "manage.py", "investigate", "--json", *words, goal],
        cwd=settings.BASE_DIR, capture_output=True, text=True, check=False, timeout=120,
        env=product_environment(OPSPILOT_DATA_DIR=str(tmp_path / "data")),
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["state"] == "DONE"
    return answer["report"]  # type: ignore[no-any-return]

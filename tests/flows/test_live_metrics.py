"""One investigation whose metrics lie in a server, not in a folder: the same cause is found through PromQL."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings

from tests.processes import product_environment
from tests.standins.metric_servers import fill, victoria_metrics
from tools.simulator import load_scenario, simulate


@pytest.mark.skipif(not shutil.which("victoria-metrics"), reason="VictoriaMetrics is not installed")
def test_the_cause_is_found_with_metrics_from_a_server(tmp_path: Path) -> None:
    truth = simulate(load_scenario("db-pool-exhaustion"), 41, datetime.now(UTC), tmp_path / "incident")
    table = tmp_path / "incident" / "metrics.csv"
    with table.open() as file:
        lines = [
            f'{row["metric"]}{{service="{row["service"]}"}} {row["value"]} {_ms(row["timestamp"])}'
            for row in csv.DictReader(file)
        ]
    table.unlink()
    with victoria_metrics(tmp_path) as url:
        fill(url, lines)
        words = [
            "--json",
            "--data",
            str(tmp_path / "incident"),
            "--data",
            f"prod=victoriametrics+{url}",
            "Why is it slow?",
        ]
        result = subprocess.run(
            [sys.executable, "manage.py", "investigate", *words], cwd=settings.BASE_DIR, capture_output=True, text=True,
            check=False, timeout=120, env=product_environment(OPSPILOT_DATA_DIR=str(tmp_path / "data")),
        )  # fmt: skip
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)["report"]
    assert report["root_cause"]["entity"] == truth.entity
    assert report["root_cause"]["change_id"] == truth.change_id
    assert report["checked"]["held"] == report["checked"]["total"] > 0


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000)

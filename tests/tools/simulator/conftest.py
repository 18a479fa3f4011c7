"""Simulated folders for the tests of the simulator, made once a session and only read."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest

from tools.simulator import Scenario, Truth, load_scenario, simulate

LOG_LINES = 20_000  # chatter shrinks, the lines of a fault stay as many
AS_OF = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)


@dataclass(frozen=True)
class Incident:
    """A folder as any tool would read it, and what only the test knows."""

    folder: Path
    truth: Truth

    @cached_property
    def logs(self) -> list[dict[str, Any]]:
        with (self.folder / "logs.ndjson").open(encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    @cached_property
    def series(self) -> dict[tuple[str, str], list[tuple[datetime, float]]]:
        series = defaultdict(list)
        with (self.folder / "metrics.csv").open(encoding="utf-8", newline="") as rows:
            for row in csv.DictReader(rows):
                at = datetime.fromisoformat(row["timestamp"])
                series[row["service"], row["metric"]].append((at, float(row["value"])))
        return series

    def read(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    def bytes(self) -> dict[str, bytes]:
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in files}


def quieter(scenario: str) -> Scenario:
    return load_scenario(scenario).model_copy(update={"log_lines": LOG_LINES})


@pytest.fixture(scope="session")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], Incident]:
    @cache
    def make(scenario: str, seed: int = 41) -> Incident:
        folder = tmp_path_factory.mktemp(f"{scenario}-{seed}")
        return Incident(folder, simulate(quieter(scenario), seed, AS_OF, folder))

    return make

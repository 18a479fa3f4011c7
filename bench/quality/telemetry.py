"""Writing telemetry folders: the files that OpsPilot reads, from rows that a suite's reader made."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def write_metrics(
    folder: Path, rows: Iterable[Sequence[Any]], header: Sequence[str] = ("timestamp", "service", "metric", "value")
) -> None:
    _write_table(folder / "metrics.csv", header, rows)


def write_topology(folder: Path, edges: Iterable[tuple[str, str]]) -> None:
    _write_table(folder / "topology.csv", ("caller", "callee"), sorted(set(edges)))


def write_logs(folder: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "logs.ndjson").open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def write_traces(folder: Path, spans: Sequence[Mapping[str, Any]]) -> None:
    _write_json(folder / "traces.json", spans)


def write_alert(folder: Path, **alert: Any) -> None:
    _write_json(folder / "alert.json", alert)


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def iso_ns(nanoseconds: int) -> str:
    """To the microsecond: below it no clock of two machines agrees."""
    moment = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    return moment.replace(microsecond=nanoseconds // 1_000 % 1_000_000).isoformat().replace("+00:00", "Z")


def _write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def _write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(header)
        table.writerows(rows)

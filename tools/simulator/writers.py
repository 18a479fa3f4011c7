"""Writing a telemetry folder in the format of real incident dumps, and counting what one holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.simulator.changes import History
from tools.simulator.conditions import Conditions
from tools.simulator.metrics import Measured

COMPACT = json.JSONEncoder(separators=(", ", ": "), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Counts:
    """What a telemetry folder holds. A deploy and the commit it carries are one change."""

    log_lines: int
    metrics: int
    traces: int
    changes: int


def write_folder(
    into: Path,
    now: Conditions,
    measured: Measured,
    history: History,
    alert: dict[str, Any],
    logs: Sequence[dict[str, Any]],
    spans: Sequence[dict[str, Any]],
) -> None:
    context = into / "context"
    context.mkdir(parents=True, exist_ok=True)
    _write_pretty(into / "alert.json", alert)
    _write_lines(into / "logs.ndjson", [COMPACT.encode(record) for record in logs])
    _write_lines(into / "metrics.csv", ["timestamp,service,metric,value", *_metric_rows(now, measured)])
    _write_lines(
        into / "topology.csv", ["caller,callee", *(f"{caller},{callee}" for caller, callee in now.topology.edges())]
    )
    (into / "traces.json").write_text("[\n" + ",\n".join(map(COMPACT.encode, spans)) + "\n]\n", encoding="utf-8")
    _write_pretty(context / "deploys.json", history.deploys)
    _write_pretty(context / "commits.json", history.commits)
    _write_pretty(context / "flags.json", history.flags)


def describe(folder: Path) -> Counts:
    """Reads the folder once; cheap enough for a line in a terminal."""
    with (folder / "logs.ndjson").open("rb") as lines:
        log_lines = sum(1 for _ in lines)
    rows = (folder / "metrics.csv").read_text(encoding="utf-8").splitlines()[1:]
    spans = json.loads((folder / "traces.json").read_text(encoding="utf-8"))
    return Counts(
        log_lines=log_lines,
        metrics=len({row.split(",", 1)[1].rsplit(",", 1)[0] for row in rows}),
        traces=len({span["trace_id"] for span in spans}),
        changes=_changes(folder / "context"),
    )


def _changes(context: Path) -> int:
    deploys, commits, flags = (
        json.loads((context / f"{kind}.json").read_text(encoding="utf-8")) for kind in ("deploys", "commits", "flags")
    )
    deployed = {deploy["commit_sha"] for deploy in deploys}
    return len(deploys) + len(flags) + sum(commit["sha"] not in deployed for commit in commits)


def _metric_rows(now: Conditions, measured: Measured) -> list[str]:
    """Minute by minute, as an exporter would have written them."""
    heads = [f"{now.topology.name(role)},{metric}" for role, metric in measured]
    columns = [values[:-1].tolist() for values in measured.values()]
    return [
        f"{stamp},{head},{value:g}"
        for stamp, row in zip(now.clock.ends(), zip(*columns, strict=True), strict=True)
        for head, value in zip(heads, row, strict=True)
    ]


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_pretty(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

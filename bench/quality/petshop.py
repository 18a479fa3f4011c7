"""PetShop (Hardt et al. 2023): issues injected into a real AWS application; which node below the alerting one did it?

Fault-free windows are asked the same question: naming a cause there is wrong. Of the fault-free rows they take the last
third, and know the rest as their quiet time; incidents know all of them.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.quality.case import Answer, Incident, Suite, Verdict, at_rank, share, suspects_of
from bench.quality.telemetry import iso, write_alert, write_metrics, write_topology

GOAL = "Find out which of the components below the alerting one caused the alert"
RANKS = (1, 3)
QUIET_WINDOWS = 10  # a scenario
NO_CALL = ("", "0", "0.0")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a metrics.csv: seconds, and one value (or "") a column of (node, metric)."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[float, tuple[str, ...]], ...]

    def part(self, start: int, stop: int) -> Table:
        return Table(self.columns, self.rows[start:stop])

    def long(self) -> Iterator[tuple[str, str, str, str]]:
        for at, values in self.rows:
            for (node, metric), value in zip(self.columns, values, strict=True):
                if value:
                    yield iso(at), node, metric, value


def load(root: Path, seeds: int) -> list[Incident]:
    scenarios = sorted(path for path in root.iterdir() if (path / "graph.csv").exists())
    return [case for scenario in scenarios for case in (*_issues(scenario), *_quiet(scenario))]


def _issues(scenario: Path) -> Iterator[Incident]:
    for file in sorted(scenario.glob("*/issue_*/target.json")):
        told = json.loads(file.read_text())
        node = told["root_cause"]["node"]
        yield Incident(
            f"{scenario.name}/{file.parent.name}", GOAL, {"node": node},
            partial(_write_issue, scenario, file.parent, told["target"]),
            partial(_judge, told["target"]["node"], node),
        )  # fmt: skip


def _quiet(scenario: Path) -> Iterator[Incident]:
    """Windows as long as an issue, evenly over the last third, alerting as the scenario's issues do by turns."""
    targets = [json.loads(file.read_text())["target"] for file in sorted(scenario.glob("*/issue_*/target.json"))]
    many = sum(1 for _ in (scenario / "noissue" / "metrics.csv").open()) - 4
    length = max(len(read_table(file).rows) for file in scenario.glob("*/issue_*/metrics.csv"))
    first = many - many // 3
    for number in range(QUIET_WINDOWS):
        start = first + number * (many - length - first) // (QUIET_WINDOWS - 1)
        target = targets[number % len(targets)]
        yield Incident(
            f"{scenario.name}/quiet_{number}", GOAL, {"node": None},
            partial(_write_quiet, scenario, target, first, start, length), _judge_quiet,
        )  # fmt: skip


def _judge(alerting: str, node: str, answer: Answer) -> Verdict:
    """The alerting node is given and is never the answer, so it takes no place."""
    return at_rank([name for name in suspects_of(answer.report) if name != alerting], node, RANKS)


def _judge_quiet(answer: Answer) -> Verdict:
    named = (answer.report.get("root_cause") or {}).get("entity")
    return Verdict((named,) if named else (), not named, {"no cause": float(not named)})


def _write_issue(scenario: Path, issue: Path, target: dict[str, Any], folder: Path) -> None:
    window = read_table(issue / "metrics.csv")
    _write(scenario, read_table(scenario / "noissue" / "metrics.csv"), window, target, target["timestamp"], folder)


def _write_quiet(scenario: Path, target: dict[str, Any], first: int, start: int, length: int, folder: Path) -> None:
    table = read_table(scenario / "noissue" / "metrics.csv")
    window = table.part(start, start + length)
    _write(scenario, table.part(0, first), window, target, window.rows[length // 2][0], folder)


def _write(scenario: Path, quiet: Table, window: Table, target: dict[str, Any], at: float, folder: Path) -> None:
    metric = _metric_name(target["metric"], target["agg"])
    write_alert(
        folder, service=target["node"], metric=metric, fired_at=iso(at),
        summary=f"{metric} of {target['node']} is not as usual",
    )  # fmt: skip
    write_metrics(folder, window.long())
    write_metrics(folder / "baseline", quiet.long())
    write_topology(folder, _edges(scenario / "graph.csv"))


def read_table(file: Path) -> Table:
    """Three header rows (node, metric, statistic), the index's name, then rows."""
    with file.open(newline="", encoding="utf-8") as text:
        nodes, metrics, statistics, _, *rows = csv.reader(text)
    columns = tuple(
        (node, _metric_name(metric, statistic))
        for node, metric, statistic in zip(nodes[1:], metrics[1:], statistics[1:], strict=True)
    )
    return Table(columns, tuple((float(row[0]), tuple(row[1:])) for row in rows if row and row[0]))


def _metric_name(metric: str, statistic: str) -> str:
    return f"{metric}_{statistic.lower()}"


def _edges(file: Path) -> Iterator[tuple[str, str]]:
    """The adjacency matrix: a 1 in row r, column c says that r calls c."""
    with file.open(newline="", encoding="utf-8") as text:
        header, *rows = csv.reader(text)
    names: Sequence[str] = header[1:]
    for caller, *marks in rows:
        yield from ((caller, callee) for callee, mark in zip(names, marks, strict=True) if mark not in NO_CALL)


SUITE = Suite(
    "petshop", load,
    (
        share("top 1", "root-cause node first", 20 / 26),
        share("top 3", "root-cause node within 3", 24 / 26),
        share("no cause", "no cause named where nothing was wrong", 0.9),
    ),
)  # fmt: skip

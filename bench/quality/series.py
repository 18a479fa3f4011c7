"""Series with labelled anomalies, a table each: the Numenta Anomaly Benchmark and Microsoft's cloud monitoring dataset.

One threshold for all files, that of tools/analysis/online.py, and nothing looks ahead.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.quality.case import Measure, Result, Sample, Suite, Verdict
from tools.analysis.online import UNUSUAL, event_scores, find_alerts, probation

FALSE_ALERT = 0.11  # NAB's standard profile
FAR_BEHIND = 3.0  # windows' lengths past a window
NEAR, APART = 2, 5  # rows beside an event that still count for it; rows between two alerts that are two

Window = tuple[int, int]  # first and last row


@dataclass(frozen=True, slots=True)
class Table:
    times: list[datetime]
    values: NDArray[np.float64]
    labels: NDArray[np.bool_]


def read_table(file: Path) -> Table:
    """Time, value and, where there is one, a label of 0 or 1; a value that is missing repeats the one before."""
    content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    _, *rows = csv.reader(content.decode().splitlines())
    times = [datetime.fromisoformat(row[0]) for row in rows]
    values = [float(row[1]) if row[1] else math.nan for row in rows]
    labels = [len(row) > 2 and row[2] not in ("", "0", "0.0") for row in rows]
    return Table([at if at.tzinfo else at.replace(tzinfo=UTC) for at in times], _filled(values), np.array(labels))


def _filled(values: Sequence[float]) -> NDArray[np.float64]:
    filled, last = [], 0.0
    for value in values:
        last = value if math.isfinite(value) else last
        filled.append(last)
    return np.array(filled)


def load_nab(root: Path, seeds: int) -> list[Sample]:
    labels = root / "labels" / "combined_windows.json"
    told = json.loads(labels.read_text()) if labels.exists() else {}
    there = [name for name in sorted(told) if (root / "data" / name).exists()]
    return [
        Sample(name, {"windows": len(told[name])}, partial(_judge_nab, root / "data" / name, told[name]))
        for name in there
    ]


def _judge_nab(file: Path, told: Sequence[Sequence[str]]) -> Verdict:
    table = read_table(file)
    place = {at: row for row, at in reversed(list(enumerate(table.times)))}
    windows = [(place[_aware(first)], place[_aware(last)]) for first, last in told]
    alerts = [alert.index for alert in find_alerts(table.values[None, :])[0]]
    raw, found, false = nab_score(len(table.values), windows, alerts)
    judged = [window for window in windows if window[1] >= probation(len(table.values))]
    marks = {"raw": raw, "windows": float(len(judged)), "found": float(found), "false": float(false)}
    times = tuple(table.times[at].isoformat() for at in alerts)
    return Verdict(times, found == len(judged) and false == 0, marks)


def _aware(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def nab_score(rows: int, windows: Sequence[Window], alerts: Sequence[int]) -> tuple[float, int, int]:
    """NAB's raw score (Lavin & Ahmad 2015, as its sweeper computes it), windows found, and false alerts.

    A found window earns up to 1, the earlier the more; a missed one costs 1; a false alert up to FALSE_ALERT, less
    where it comes soon after a window. Alerts during the probation do not count.
    """
    quiet = probation(rows)
    earned = dict.fromkeys((window for window in windows if window[1] >= quiet), -1.0)
    cost, false = 0.0, 0
    for alert in alerts:
        inside = next((window for window in windows if window[0] <= alert <= window[1]), None)
        if alert < quiet:
            continue
        if inside:
            earned[inside] = max(earned[inside], _reward(inside, alert))
        else:
            false += 1
            cost += FALSE_ALERT * _sigmoid(_behind(windows, alert))
    return sum(earned.values()) + cost, sum(value > -1 for value in earned.values()), false


def _reward(window: Window, alert: int) -> float:
    first, last = window
    return _sigmoid(-(last - alert + 1) / (last - first + 1)) / _sigmoid(-1.0)


def _behind(windows: Sequence[Window], alert: int) -> float:
    """How many lengths of the window before it an alert comes after that window."""
    before = [window for window in windows if window[1] < alert]
    if not before:
        return FAR_BEHIND
    first, last = max(before, key=lambda window: window[1])
    return (alert - last) / (last - first) if last > first else FAR_BEHIND


def _sigmoid(position: float) -> float:
    return -1.0 if position >= FAR_BEHIND else 2 / (1 + math.exp(5 * position)) - 1


def _normalised(results: Sequence[Result]) -> float | None:
    """0 is silence, 100 every window found at its first row and nothing else."""
    windows = _sum(results, "windows")
    return 100 * (_sum(results, "raw") + windows) / (2 * windows) if windows else None


def _sum(results: Sequence[Result], mark: str) -> float:
    return sum(result.verdict.marks[mark] for result in results)


def load_ms_cloud(root: Path, seeds: int) -> list[Sample]:
    files = sorted(root.glob("*/*.csv.gz"))
    return [Sample(f"{file.parent.name}/{file.name}", {}, partial(_judge_events, file)) for file in files]


def _judge_events(file: Path) -> Verdict:
    table = read_table(file)
    step = float(np.median(np.diff([at.timestamp() for at in table.times])))
    scores = event_scores(table.values[None, :], per_day=round(86_400 / step))[0]
    events, alerts = _runs(table.labels), np.flatnonzero(scores >= UNUSUAL)
    found, false = match_events(events, alerts.tolist())
    marks = {"found": float(found), "false": float(false), "missed": float(len(events) - found)}
    times = tuple(table.times[at].isoformat() for at in alerts.tolist())
    return Verdict(times, found == len(events) and false == 0, marks)


def _runs(labels: NDArray[np.bool_]) -> list[Window]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], labels, [False]])))
    return [(int(first), int(end) - 1) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def match_events(events: Sequence[Window], alerts: Sequence[int]) -> tuple[int, int]:
    """Events with an alert in or near them, and alerts (close ones are one) that are near none."""
    wide = [(first - NEAR, last + NEAR) for first, last in events]
    found = sum(any(first <= alert <= last for alert in alerts) for first, last in wide)
    groups: list[list[int]] = []
    for alert in alerts:
        if groups and alert - groups[-1][-1] < APART:
            groups[-1].append(alert)
        else:
            groups.append([alert])
    false = sum(not any(first <= alert <= last for alert in group for first, last in wide) for group in groups)
    return found, false


def _f1(results: Sequence[Result]) -> float | None:
    found, wrong = _sum(results, "found"), _sum(results, "false") + _sum(results, "missed")
    return 2 * found / (2 * found + wrong) if found + wrong else None


def _found(of: str) -> Measure:
    """How many were found, as a share; and how many alerts were false."""

    def value(results: Sequence[Result]) -> float | None:
        every = _every(results, of)
        return _sum(results, "found") / every if every else None

    return Measure("found", value, lambda results: f"{_sum(results, 'found'):g}/{_every(results, of):g}")


def _every(results: Sequence[Result], of: str) -> float:
    return _sum(results, "windows") if of == "windows" else _sum(results, "found") + _sum(results, "missed")


FALSE = Measure("false alerts a series", lambda results: _sum(results, "false") / len(results),
                lambda results: f"{_sum(results, 'false'):g}", at_least=False)  # fmt: skip
NAB = Suite(
    "nab", load_nab, (Measure("NAB score, standard profile", _normalised, bound=65.0), _found("windows"), FALSE)
)
MS_CLOUD = Suite("ms-cloud", load_ms_cloud, (Measure("F1 of events", _f1, bound=0.60), _found("events"), FALSE))

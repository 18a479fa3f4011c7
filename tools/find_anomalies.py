"""find_anomalies: which metrics left what is usual for them, since when, in which direction; few and early.

data = {
  "anomalies": [{
     "id": str, "name": str, "service": str, "labels": {…}, "unit": str,
     "direction": "up" | "down", "onset": iso,     # of the first alert
     "alerts": int,                                # how many times it went farther than ever before
     "z": f,                                       # of the farthest alert, in root mean squares of the series' past
     "before": f, "after": f,                      # medians before and from the onset on
     "latest": f, "ongoing": bool                  # the newest point, and whether it lies nearer to `after`
  }, …],                                           # farthest first, at most `limit`
  "series": int, "abnormal": int, "too_short": int, "step_s": int,
  "onsets": [[iso, count], …]                      # how many series began in each step, rising
}
figures: series, abnormal, too_short, "<id> z", "<id> before", "<id> after", "<id> latest".   source = "<name>:metrics"
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tools.analysis.changepoints import find_change_point
from tools.analysis.online import SETTLE, SHORT, Alert, find_alerts
from tools.base import Params, Risk, Status, Tool, ToolContext, ToolResult
from tools.reach import Reach, ask_each, reach
from tools.sources.metrics.query import MetricQuery, Series
from tools.sources.metrics.steps import by_steps
from tools.sources.timestamps import iso_us

MAX_POINTS = 2_000_000


class FindAnomalies(Params):
    name: str = Field("*", max_length=200, description="Metric name or glob; '*' scans every metric.")
    service: str = Field("", max_length=200, description="Service name or glob; empty means every service.")
    source: str = Field("", description="Name of a source; empty scans all of them.")
    since: str = Field("", description="'last 5 hours', '30m', or ISO 8601. Empty: the start of the data.")
    until: str = Field("", description="ISO 8601 or a phrase; empty: the run's as-of time.")
    step_s: int = Field(60, ge=1, le=86_400)
    least_z: float = Field(
        4.0, ge=1.0, le=100.0, description="How far out a point must lie, in root mean squares of the series' past."
    )
    limit: int = Field(30, ge=1, le=400)


@dataclass(frozen=True, slots=True)
class Track:
    series: Series
    times: NDArray[np.int64]
    values: NDArray[np.float64]


def run(context: ToolContext, params: FindAnomalies) -> ToolResult:
    sources = context.sources.metrics(params.source)
    within = reach(context, "metrics", sources, params.since, params.until)
    query = MetricQuery(params.name, params.service, within.since_us, within.until_us, params.step_s)
    answers = ask_each(sources, lambda source: source.series(query))
    found = {one.id: one for part in answers.found for one in part if len(one.times)}
    step_us = params.step_s * 1_000_000
    tracks = [Track(one, *by_steps(one, step_us, "avg")) for _, one in sorted(found.items())]
    rows = sorted(
        (_row(track, alerts) for track, alerts in _scanned(tracks, params.least_z) if alerts),
        key=lambda row: (-row["z"], row["id"]),
    )
    shown = rows[: params.limit]
    too_short = sum(len(track.times) <= SETTLE for track in tracks)
    counts = {"series": len(tracks), "abnormal": len(rows), "too_short": too_short}
    return ToolResult(
        status=Status.NO_DATA if not tracks else Status.TRUNCATED if len(shown) < len(rows) else Status.SUCCESS,
        summary=_summary(within, rows, counts) + within.notes(*answers.notes),
        data={"anomalies": shown, **counts, "step_s": params.step_s, "onsets": _onsets(rows)},
        figures={**counts, **{f"{row['id']} {key}": row[key] for row in shown for key in FIGURES}},
        query=within.query(**params.model_dump(include={"name", "service", "step_s", "least_z"})) | answers.native(),
        source=within.source,
        freshness=within.newest,
        skipped=within.skipped,
    )


FIGURES = ("z", "before", "after", "latest")


def _scanned(tracks: Sequence[Track], least_z: float) -> list[tuple[Track, list[Alert]]]:
    """Series of one length are judged together, which is many times faster than one by one."""
    by_length: dict[int, list[Track]] = defaultdict(list)
    for track in tracks:
        by_length[len(track.values)].append(track)
    found: list[tuple[Track, list[Alert]]] = []
    for length, alike in by_length.items():
        batch = max(1, MAX_POINTS // length)
        for at in range(0, len(alike), batch):
            part = alike[at : at + batch]
            found += zip(part, find_alerts(np.stack([track.values for track in part]), least_z), strict=True)
    return found


def _row(track: Track, alerts: Sequence[Alert]) -> dict[str, Any]:
    onset = _onset(track.values, alerts[0])
    before, after = (float(np.median(part)) for part in (track.values[:onset], track.values[onset:]))
    latest = float(track.values[-1])
    series = track.series
    return {
        "id": series.id, "name": series.name, "service": series.service, "labels": series.labels, "unit": series.unit,
        "direction": alerts[0].direction, "onset": iso_us(int(track.times[onset])), "alerts": len(alerts),
        "z": round(max(alert.z for alert in alerts), 2), "before": _short(before), "after": _short(after),
        "latest": _short(latest), "ongoing": abs(latest - after) < abs(latest - before),
    }  # fmt: skip


def _onset(values: NDArray[np.float64], alert: Alert) -> int:
    """A level is told some points after it began: the likeliest change before the alert is its onset."""
    if not alert.is_level:
        return alert.index
    start = max(alert.index - 2 * SHORT, 0)
    change = find_change_point(values[start : alert.index + 1])
    return start + change.index if change else alert.index


def _onsets(rows: Sequence[dict[str, Any]]) -> list[list[Any]]:
    return [[at, count] for at, count in sorted(Counter(row["onset"] for row in rows).items())]


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _summary(within: Reach, rows: Sequence[dict[str, Any]], counts: dict[str, int]) -> str:
    if not counts["series"]:
        return f"No series in {within.words()}; {within.span()}"
    short = f", {counts['too_short']} too short to judge" if counts["too_short"] else ""
    if not rows:
        return f"None of {counts['series']:,} series left what is usual for it in {within.words()}{short}"
    first = min(rows, key=lambda row: row["onset"])
    told = "; ".join(f"{row['id']} {row['direction']} {row['before']:g} → {row['after']:g}" for row in rows[:3])
    return (
        f"{len(rows):,} of {counts['series']:,} series left what is usual for them in {within.words()}{short}, "
        f"first {first['id']} at {first['onset']}; farthest: {told}"
    )


TOOL = Tool(
    name="find_anomalies",
    summary="Scan metrics for what is unusual: which series, since when, up or down, how far; few and early.",
    params=FindAnomalies,
    risk=Risk.READ,
    run=run,
    needs=("metrics",),
)

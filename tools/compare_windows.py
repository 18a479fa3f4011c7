"""compare_windows: a time range beside another one: which metrics moved, and where lines became more or fewer.

data = {
  "metrics": [{
     "id": str, "name": str, "service": str, "unit": str,
     "before": f, "after": f,          # medians of the two ranges
     "ratio": f | null,                # after over before; null where before is 0
     "z": f,                           # the difference in robust standard deviations of the earlier range
     "points_before": int, "points": int
  }, …],                               # farthest first, at most `limit`
  "lines": [{"service": str, "level": str,   # this level or worse
             "before": int, "after": int, "per_minute_before": f, "per_minute": f, "z": f}, …],
  "series": int, "moved": int,         # z of at least 4
  "baseline": {"since": iso, "until": iso}
}
figures: series, moved, "<id> before", "<id> after", "<id> z", "lines <service> <level> before", "… after".
source = "<name>:metrics+<name>:logs"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from pydantic import Field

from tools.analysis.anomalies import normal_of
from tools.analysis.windows import SIGNIFICANT_Z, compare_counts
from tools.base import Params, Risk, Status, Tool, ToolContext, ToolError, ToolResult
from tools.reach import ask_each
from tools.sources.logs.levels import LEVELS
from tools.sources.logs.search import LogHits, LogQuery, LogSource
from tools.sources.metrics.query import MetricQuery, MetricSource, Series
from tools.sources.spec import SourceState
from tools.sources.timestamps import iso, to_us
from tools.timerange import TimeRange, resolve

FEWEST = 4  # points of either range


class CompareWindows(Params):
    since: str = Field(min_length=1, description="Start of the range: '30m', '02:00', or ISO 8601.")
    until: str = Field("", description="End of it; empty: the run's as-of time.")
    baseline_since: str = Field("", description="Start of the range to compare with; empty: as long as the other.")
    baseline_until: str = Field("", description="End of it; empty: where the other starts.")
    name: str = Field("*", max_length=200, description="Metric name or glob.")
    service: str = Field("", max_length=200, description="Exact service name; empty means every service.")
    source: str = Field("", description="Name of a source; empty asks all of them.")
    limit: int = Field(30, ge=1, le=400)


def run(context: ToolContext, params: CompareWindows) -> ToolResult:
    metrics, logs = (_sources(ask, params.source) for ask in (context.sources.metrics, context.sources.logs))
    if not metrics and not logs:
        raise ToolError("There are neither metrics nor logs to compare.")
    states = [source.state() for source in (*metrics, *logs)]
    after, before = _ranges(context.as_of, params, states)
    rows = _metrics(metrics, params, before, after) if metrics else []
    lines = _lines(logs, params, before, after) if logs else []
    moved = [row for row in rows if abs(row["z"]) >= SIGNIFICANT_Z]
    shown = rows[: params.limit]
    return ToolResult(
        status=Status.NO_DATA if not rows and not lines else Status.SUCCESS,
        summary=_summary(rows, moved, lines, before, after),
        data={
            "metrics": shown, "lines": lines, "series": len(rows), "moved": len(moved),
            "baseline": {"since": iso(before.since), "until": iso(before.until)},
        },
        figures={"series": len(rows), "moved": len(moved), **_figures(shown, lines)},
        query={
            "since": iso(after.since), "until": iso(after.until), "baseline_since": iso(before.since),
            "baseline_until": iso(before.until), **params.model_dump(include={"name", "service"}),
        },
        source="+".join(f"{state.name}:{state.kind}" for state in states),
        freshness=max((state.newest for state in states if state.newest), default=None),
        skipped=sum(state.skipped for state in states),
    )  # fmt: skip


def _sources(ask: Any, name: str) -> Sequence[Any]:
    try:
        found: Sequence[Any] = ask(name)
        return found
    except ToolError:
        return []


def _ranges(as_of: datetime, params: CompareWindows, states: Sequence[SourceState]) -> tuple[TimeRange, TimeRange]:
    oldest = min((state.oldest for state in states if state.oldest), default=None)
    after = resolve(params.since, params.until, as_of, oldest)
    if not params.baseline_since and not params.baseline_until:
        return after, after.before()
    until = params.baseline_until or iso(after.since)
    return after, resolve(params.baseline_since, until, as_of, oldest)


def _metrics(
    sources: Sequence[MetricSource], params: CompareWindows, before: TimeRange, after: TimeRange
) -> list[dict[str, Any]]:
    early, late = (_series(sources, params, where) for where in (before, after))
    rows = [_row(early[key], one) for key, one in late.items() if key in early and _has_enough(early[key], one)]
    return sorted(rows, key=lambda row: (-abs(row["z"]), row["id"]))


def _series(sources: Sequence[MetricSource], params: CompareWindows, where: TimeRange) -> dict[str, Series]:
    query = MetricQuery(params.name, params.service, to_us(where.since), to_us(where.until))
    return {one.id: one for part in ask_each(sources, lambda source: source.series(query)).found for one in part}


def _has_enough(*series: Series) -> bool:
    return all(len(one.values) >= FEWEST for one in series)


def _row(early: Series, late: Series) -> dict[str, Any]:
    normal = normal_of(early.values, np.concatenate([early.values, late.values]))
    level = float(np.median(late.values))
    return {
        "id": late.id, "name": late.name, "service": late.service, "unit": late.unit,
        "before": _short(normal.median), "after": _short(level),
        "ratio": _short(level / normal.median) if normal.median else None,
        "z": _short((level - normal.median) / normal.scale),
        "points_before": len(early.values), "points": len(late.values),
    }  # fmt: skip


def _lines(
    sources: Sequence[LogSource], params: CompareWindows, before: TimeRange, after: TimeRange
) -> list[dict[str, Any]]:
    """By service and level (or worse); the most surprising change first."""
    rows = []
    for rank in (LEVELS.index("WARN"), LEVELS.index("ERROR")):
        early, late = (_counted(sources, params, where, rank) for where in (before, after))
        for service in sorted({*early, *late}):
            rate = compare_counts(early.get(service, 0), before.seconds / 60, late.get(service, 0), after.seconds / 60)
            rows.append({
                "service": service, "level": LEVELS[rank], "before": early.get(service, 0),
                "after": late.get(service, 0), "per_minute_before": _short(rate.before_per_minute),
                "per_minute": _short(rate.after_per_minute), "z": _short(rate.z),
            })  # fmt: skip
    return sorted(rows, key=lambda row: (-abs(row["z"]), row["service"], row["level"]))


def _counted(sources: Sequence[LogSource], params: CompareWindows, where: TimeRange, rank: int) -> Mapping[str, int]:
    query = LogQuery(None, params.service, rank, to_us(where.since), to_us(where.until), 60_000_000, 0)
    hits = LogHits()
    for found in ask_each(sources, lambda source: source.search(query)).found:
        hits.add(found, 0)
    return hits.services


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _figures(rows: Sequence[dict[str, Any]], lines: Sequence[dict[str, Any]]) -> dict[str, float]:
    figures = {f"{row['id']} {key}": row[key] for row in rows for key in ("before", "after", "z")}
    named = {f"lines {row['service'] or '(none)'} {row['level']}": row for row in lines}
    return figures | {f"{name} {key}": row[key] for name, row in named.items() for key in ("before", "after")}


def _summary(
    rows: Sequence[dict[str, Any]], moved: Sequence[dict[str, Any]], lines: Sequence[dict[str, Any]],
    before: TimeRange, after: TimeRange,
) -> str:  # fmt: skip
    told = "; ".join(f"{row['id']} {row['before']:g} → {row['after']:g}" for row in moved[:3])
    louder = [row for row in lines if abs(row["z"]) >= SIGNIFICANT_Z][:2]
    spoken = "; ".join(
        f"{row['service'] or '(none)'} {row['level']} or worse {row['before']:,} → {row['after']:,} lines"
        for row in louder
    )
    said = "; ".join(part for part in (told, spoken) if part)
    return f"{len(moved)} of {len(rows)} series moved between {before} and {after}{f': {said}' if said else ''}"


TOOL = Tool(
    name="compare_windows",
    summary="Compare a time range with another one: which metrics moved and how far, where warnings and errors became "
    "more or fewer.",
    params=CompareWindows,
    risk=Risk.READ,
    run=run,
)

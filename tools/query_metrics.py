"""query_metrics: numbers over time, by name and service.

data = {
  "series": [{
     "id": str,                     # "orders-api db_pool_active": what a claim cites; unique in this result
     "name": str, "service": str, "labels": {…}, "unit": str | "",
     "points": [[iso, value], …],   # after aggregation to `step`, rising time, no NaN
     "stats": {"min": f, "max": f, "mean": f, "median": f, "first": f, "last": f, "count": int}
  }, …],
  "step_s": int,
  "available": [name, …]            # when nothing matched: what could have been asked
}
figures: "<id> min" … for every stat of every series.   source = "<name>:metrics"
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from tools.base import Params, Risk, Status, Tool, ToolContext, ToolError, ToolResult
from tools.reach import Reach, ask_each, list_of, reach
from tools.sources.metrics.query import MetricQuery, MetricSource, Series
from tools.sources.metrics.steps import by_steps
from tools.sources.timestamps import iso_us

MAX_POINTS = 20_000
MAX_SERIES = 400
MAX_NAMES = 1_000
STEPS_S = (1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400)


class QueryMetrics(Params):
    promql: str = Field(
        "",
        max_length=2_000,
        description="PromQL in place of name and service, for sources that are a Prometheus or speak its API.",
    )
    name: str = Field("*", max_length=200, description="Metric name or glob: 'error_rate', 'db_pool_*', '*'.")
    service: str = Field("", max_length=200, description="Service name or glob; empty means every service.")
    source: str = Field("", description="Name of a source; empty asks all of them.")
    aggregation: Literal["avg", "min", "max", "sum", "last", "count"] = "avg"
    since: str = Field("", description="'last 5 hours', '30m', or ISO 8601. Empty: the start of the data.")
    until: str = Field("", description="ISO 8601 or a phrase; empty: the run's as-of time.")
    step_s: int = Field(60, ge=1, le=86_400)


def run(context: ToolContext, params: QueryMetrics) -> ToolResult:
    sources = context.sources.metrics(params.source)
    within = reach(context, "metrics", sources, params.since, params.until)
    query = MetricQuery(
        params.name, params.service, within.since_us, within.until_us, params.step_s, expression=params.promql
    )
    answers = ask_each(sources, lambda source: source.series(query))
    notes = answers.notes
    found = _distinct([series for part in answers.found for series in part])
    filled = [series for series in found if len(series.times)]
    asked = answers.native()
    if not filled:
        return _nothing(params, within, _names(sources), bool(found), notes, asked)
    shown = filled[:MAX_SERIES]
    step_s = _step(shown, params.step_s)
    described = [_describe(series, step_s, params.aggregation) for series in shown]
    return ToolResult(
        status=Status.TRUNCATED if len(shown) < len(filled) or answers.troubles else Status.SUCCESS,
        summary=_summary(within, described, len(filled), step_s) + within.notes(*notes),
        data={"series": described, "step_s": step_s, "available": []},
        figures={f"{one['id']} {name}": value for one in described for name, value in one["stats"].items()},
        query=_query(params, within, step_s) | asked,
        source=within.source,
        freshness=within.newest,
        skipped=within.skipped,
    )


def _distinct(series: list[Series]) -> list[Series]:
    """By id; where two sources hold the same series, the first source's."""
    by_id: dict[str, Series] = {}
    for one in series:
        by_id.setdefault(one.id, one)
    return [by_id[key] for key in sorted(by_id)]


def _names(sources: Sequence[MetricSource]) -> list[str]:
    """What could have been asked for; a source that does not say is left out."""
    try:
        return sorted({name for names in ask_each(sources, lambda source: source.names()).found for name in names})
    except ToolError:
        return []


def _query(params: QueryMetrics, within: Reach, step_s: int) -> dict[str, Any]:
    words = {"promql", "aggregation"} if params.promql else {"name", "service", "aggregation"}
    asked = params.model_dump(include=words)
    widened = {"asked_step_s": params.step_s} if step_s != params.step_s else {}
    return within.query(**asked, step_s=step_s, **widened)


def _step(series: list[Series], asked_s: int) -> int:
    """The step asked for, or the next wider one that keeps the result below MAX_POINTS."""
    wider = [step for step in STEPS_S if step > asked_s]
    return next((step for step in (asked_s, *wider) if _points(series, step) <= MAX_POINTS), STEPS_S[-1])


def _points(series: list[Series], step_s: int) -> int:
    return sum(int(np.count_nonzero(np.diff(one.times // (step_s * 1_000_000)))) + 1 for one in series)


def _describe(series: Series, step_s: int, aggregation: str) -> dict[str, Any]:
    times, values = by_steps(series, step_s * 1_000_000, aggregation)
    points = [[iso_us(at), _short(value)] for at, value in zip(times.tolist(), values.tolist(), strict=True)]
    stats = {
        "min": values.min(), "max": values.max(), "mean": values.mean(), "median": np.median(values),
        "first": values[0], "last": values[-1], "count": len(values),
    }  # fmt: skip
    return {
        "id": series.id,
        "name": series.name,
        "service": series.service,
        "labels": series.labels,
        "unit": series.unit,
        "points": points,
        "stats": {name: _short(float(value)) for name, value in stats.items()},
    }


def _short(value: float) -> float:
    """Ten significant digits: averages without the noise of binary fractions."""
    return float(f"{value:.10g}")


def _summary(within: Reach, described: list[dict[str, Any]], total: int, step_s: int) -> str:
    widest = sorted(described, key=_spread, reverse=True)[:3]
    said = "; ".join(
        f"{one['id']} {one['stats']['first']:.4g} → {one['stats']['last']:.4g} "
        f"(min {one['stats']['min']:.4g}, max {one['stats']['max']:.4g}{_at_peak(one)})"
        for one in widest
    )
    most = "" if len(described) == total else f", the first {len(described):,} shown: narrow name or service"
    label = "widest: " if len(described) > len(widest) else ""
    return f"{total:,} series in {within.words()}, step {step_s} s{most}; {label}{said}"


def _spread(one: dict[str, Any]) -> float:
    stats = one["stats"]
    return float((stats["max"] - stats["min"]) / (abs(stats["median"]) + 1e-9))


def _at_peak(one: dict[str, Any]) -> str:
    peak = max(one["points"], key=lambda point: point[1])
    return f" at {peak[0]}"


def _nothing(
    params: QueryMetrics, within: Reach, names: list[str], is_known: bool, notes: list[str], asked: dict[str, object]
) -> ToolResult:
    what = f"metric {params.name!r}" + (f" of service {params.service!r}" if params.service else "")
    what = f"{params.promql!r}" if params.promql else what
    why = within.span() if is_known else f"metrics: {list_of(names)}; services: {list_of(within.services)}"
    return ToolResult(
        status=Status.NO_DATA,
        summary=f"No point of {what} in {within.words()}; {why}{within.notes(*notes)}",
        data={"series": [], "step_s": params.step_s, "available": names[:MAX_NAMES], "services": within.services},
        query=_query(params, within, params.step_s) | asked,
        source=within.source,
        freshness=within.newest,
        skipped=within.skipped,
    )


TOOL = Tool(
    name="query_metrics",
    summary="Read metrics as series of points, by name and service (globs), aggregated to a step, with min, max, mean, "
    "median, first and last. Of a Prometheus, counters come as rate(name) and histograms as p50, p95, p99(name).",
    params=QueryMetrics,
    risk=Risk.READ,
    run=run,
    needs=("metrics",),
)

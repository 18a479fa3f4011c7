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

from typing import Literal

from pydantic import Field

from tools.base import Params, ToolContext, ToolResult


class QueryMetrics(Params):
    name: str = Field("*", max_length=200, description="Metric name or glob: 'error_rate', 'db_pool_*', '*'.")
    service: str = Field("", max_length=200, description="Service name or glob; empty means every service.")
    source: str = Field("", description="Name of a source; empty asks all of them.")
    aggregation: Literal["avg", "min", "max", "sum", "last", "count"] = "avg"
    since: str = Field("", description="'last 5 hours', '30m', or ISO 8601. Empty: the start of the data.")
    until: str = Field("", description="ISO 8601 or a phrase; empty: the run's as-of time.")
    step_s: int = Field(60, ge=1, le=86_400)


def run(context: ToolContext, params: QueryMetrics) -> ToolResult:
    raise NotImplementedError

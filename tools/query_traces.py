"""query_traces: who calls whom, how long it takes and where it fails.

data = {
  "traces": int, "spans": int,
  "services": [{"service": str, "spans": int, "errors": int, "p50_ms": f, "p99_ms": f, "self_p50_ms": f, "self_p99_ms": f}, …],
  "edges": [{"caller": str, "callee": str, "calls": int, "errors": int, "p50_ms": f, "p99_ms": f}, …],
  "errors": [{"at": iso, "service": str, "name": str, "error": str, "trace_id": str, "span_id": str, "duration_ms": f}, …],
                                                   # deepest failing span of a trace, newest first, at most `limit`
  "slowest": [the same shape, …],
  "per_minute": [[iso, spans, errors], …]
}
`edges` also holds the rows of a folder's topology.csv, with calls 0. figures: traces, spans, errors.
source = "<name>:traces"
"""

from __future__ import annotations

from pydantic import Field

from tools.base import Params, ToolContext, ToolResult


class QueryTraces(Params):
    service: str = Field("", description="Only traces that pass through this service; empty means all.")
    caller: str = Field("", description="With `callee`: only calls between these two services.")
    callee: str = ""
    errors_only: bool = False
    source: str = Field("", description="Name of a source; empty asks all of them.")
    since: str = Field("", description="'last 5 hours', '30m', or ISO 8601. Empty: the start of the data.")
    until: str = Field("", description="ISO 8601 or a phrase; empty: the run's as-of time.")
    limit: int = Field(20, ge=1, le=200)


def run(context: ToolContext, params: QueryTraces) -> ToolResult:
    raise NotImplementedError

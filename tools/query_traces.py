"""query_traces: who calls whom, how long it takes and where it fails.

data = {
  "traces": int, "spans": int,
  "services": [{"service": str, "spans": int, "errors": int, "p50_ms": f, "p99_ms": f,
                "self_p50_ms": f, "self_p99_ms": f}, …],
  "edges": [{"caller": str, "callee": str, "calls": int, "errors": int, "p50_ms": f, "p99_ms": f}, …],
  "errors": [{"at": iso, "service": str, "name": str, "error": str, "trace_id": str, "span_id": str,
              "duration_ms": f, "self_ms": f, "peer": str}, …],
                                                   # deepest failing span of a trace, newest first, at most `limit`
  "slowest": [the same shape, …],                  # by self time, which is where the time is spent
  "per_minute": [[iso, spans, errors], …],         # buckets of bucket_s
  "bucket_s": int
}
`edges` also holds the rows of a folder's topology.csv, with calls 0.
figures: traces, spans, errors, "<service> p99_ms" …, "<caller> → <callee> calls" ….
source = "<name>:traces"
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from pydantic import Field

from tools.base import Params, Risk, Status, Tool, ToolContext, ToolResult
from tools.reach import Reach, ask_each, list_of, reach
from tools.sources.timestamps import iso_us
from tools.sources.traces.forest import Forest, describe_edges, describe_services
from tools.sources.traces.span import Span


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
    sources = context.sources.traces(params.source)
    within = reach(context, "traces", sources, params.since, params.until)
    answers = ask_each(sources, lambda source: (source.spans(within.since_us, within.until_us), source.topology()))
    every = Forest([span for spans, _ in answers.found for span in spans])
    forest = every.keep(lambda trace: _is_asked(every, trace, params))
    topology = sorted({edge for _, edges in answers.found for edge in edges})
    data = _data(forest, topology, params, within)
    errors = sum(1 for span in forest.spans if span.error)
    return ToolResult(
        status=Status.SUCCESS if forest.spans or (data["edges"] and not params.errors_only) else Status.NO_DATA,
        summary=_summary(params, within, forest, data, errors) + within.notes(*answers.notes),
        data=data,
        figures={"traces": len(forest.traces), "spans": len(forest.spans), "errors": errors, **_figures(data)},
        query=within.query(**params.model_dump(include={"service", "caller", "callee", "errors_only", "limit"})),
        source=within.source,
        freshness=within.newest,
        skipped=within.skipped,
    )


def _is_asked(forest: Forest, trace: list[Span], params: QueryTraces) -> bool:
    if params.errors_only and not any(span.error for span in trace):
        return False
    if params.service and params.service not in {name for span in trace for name in (span.service, span.peer)}:
        return False
    is_any_call = not params.caller and not params.callee
    return is_any_call or any(_is_call(call.caller, call.callee, params) for call in forest.calls_of(trace))


def _is_call(caller: str, callee: str, params: QueryTraces) -> bool:
    return params.caller in ("", caller) and params.callee in ("", callee)


def _data(forest: Forest, topology: list[tuple[str, str]], params: QueryTraces, within: Reach) -> dict[str, Any]:
    edges = [edge for edge in describe_edges(forest, topology) if _is_shown(edge, params)]
    failing = sorted(forest.deepest_failures(), key=lambda span: -span.start_us)
    slowest = sorted(forest.spans, key=lambda span: (-forest.self_ms(span), span.start_us))
    return {
        "traces": len(forest.traces),
        "spans": len(forest.spans),
        "services": describe_services(forest),
        "edges": edges,
        "errors": [_span(forest, span) for span in failing[: params.limit]],
        "slowest": [_span(forest, span) for span in slowest[: params.limit]],
        "per_minute": _per_minute(forest, within.bucket_s * 1_000_000),
        "bucket_s": within.bucket_s,
    }


def _is_shown(edge: dict[str, Any], params: QueryTraces) -> bool:
    """Calls that were asked for; an edge of the topology file only beside the service that was asked for."""
    is_near = edge["calls"] > 0 or params.service in ("", edge["caller"], edge["callee"])
    return is_near and _is_call(edge["caller"], edge["callee"], params)


def _span(forest: Forest, span: Span) -> dict[str, Any]:
    return {
        "at": iso_us(span.start_us),
        "service": span.service,
        "name": span.name,
        "error": span.error,
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "duration_ms": round(span.duration_ms, 3),
        "self_ms": round(forest.self_ms(span), 3),
        "peer": span.peer,
    }


def _per_minute(forest: Forest, bucket_us: int) -> list[list[Any]]:
    spans: Counter[int] = Counter()
    errors: Counter[int] = Counter()
    for span in forest.spans:
        bucket = span.start_us // bucket_us * bucket_us
        spans[bucket] += 1
        errors[bucket] += bool(span.error)
    return [[iso_us(bucket), spans[bucket], errors[bucket]] for bucket in sorted(spans)]


def _figures(data: dict[str, Any]) -> dict[str, float]:
    named = ("spans", "errors", "p50_ms", "p99_ms", "self_p50_ms", "self_p99_ms")
    figures = {f"{one['service']} {name}": one[name] for one in data["services"] for name in named}
    calls = ("calls", "errors", "p50_ms", "p99_ms")
    return figures | {f"{one['caller']} → {one['callee']} {name}": one[name] for one in data["edges"] for name in calls}


def _summary(params: QueryTraces, within: Reach, forest: Forest, data: dict[str, Any], errors: int) -> str:
    asked = "".join(
        [
            f" through {params.service}" if params.service else "",
            f" with a call {params.caller or 'any'} → {params.callee or 'any'}"
            if params.caller or params.callee
            else "",
            " with an error" if params.errors_only else "",
        ]
    )
    edges = f"; {len(data['edges'])} edges known" if data["edges"] else ""
    if not forest.spans:
        return f"No trace{asked} in {within.words()}{edges}; {within.span()}; services: {list_of(within.services)}"
    deepest = data["errors"][0] if data["errors"] else None
    last = f"; newest failure: {deepest['service']} {deepest['name']}: {deepest['error'][:160]}" if deepest else ""
    return (
        f"{len(forest.traces):,} traces with {len(forest.spans):,} spans{asked} in {within.words()}, "
        f"{errors:,} spans failed{edges}{last}"
    )


TOOL = Tool(
    name="query_traces",
    summary="Read traces: which service calls which, how long each takes by itself and with its callees, where "
    "requests fail deepest.",
    params=QueryTraces,
    risk=Risk.READ,
    run=run,
    needs=("traces",),
)

"""trace_breakdown: where the time of requests goes, beside a quiet time: inside services, and between them.

data = {
  "since": iso, "until": iso, "traces": int, "quiet_traces": int,
  "services": [{
     "service": str, "spans": int, "errors": int, "quiet_spans": int, "quiet_errors": int,
     "self_ms": f, "quiet_self_ms": f,      # of all its spans, for one trace
     "slowdown": f | null, "gap_slowdown": f | null
        # times as long as in the quiet time, operation by operation, beside the system as a whole: by itself, and
        # between its callers and it (network, queue); null where too few runs compare
  }, …],                                     # most time gained for one trace first
  "calls": [{"caller": str, "callee": str, "calls": int, "errors": int, "gap_ms": f, "quiet_gap_ms": f | null}, …],
                                             # largest growth of the gap first; medians
  "failing": [{"service": str, "error": str, "count": int, "quiet_count": int}, …]   # deepest failing spans
}
figures: "<service> self_ms", "<service> quiet_self_ms", "<caller> → <callee> gap_ms" and "… quiet_gap_ms".
source = "<name>:traces"
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np
from pydantic import Field

from tools.analysis.channels import duration
from tools.analysis.spans import gap_laps, self_laps, slowdowns
from tools.base import Params, Risk, Status, Tool, ToolContext, ToolResult
from tools.sources.timestamps import iso
from tools.sources.traces.forest import Forest
from tools.two_times import TwoTimes, two_times

ERROR_LENGTH = 300


class TraceBreakdown(Params):
    since: str = Field("", description="'last 30m' or ISO 8601. Empty: all that is no baseline, or the last fifth.")
    until: str = Field("", description="ISO 8601 or a phrase; empty: the run's as-of time.")
    limit: int = Field(20, ge=1, le=200)


def run(context: ToolContext, params: TraceBreakdown) -> ToolResult:
    times = two_times(context, params.since, params.until)
    now, quiet = times.forests()
    data = {
        "since": iso(times.window.since),
        "until": iso(times.window.until),
        "traces": len(now.traces),
        "quiet_traces": len(quiet.traces),
        "services": _services(now, quiet)[: params.limit],
        "calls": _calls(now, quiet)[: params.limit],
        "failing": _failing(now, quiet)[: params.limit],
    }
    return ToolResult(
        status=Status.SUCCESS if now.spans else Status.NO_DATA,
        summary=_summary(times, data),
        data=data,
        figures=_figures(data),
        query={"since": data["since"], "until": data["until"], "as_of": iso(context.as_of), "limit": params.limit},
        source="+".join(part for part in times.source.split("+") if part.endswith(":traces")),
        freshness=times.newest,
    )


def _services(now: Forest, quiet: Forest) -> list[dict[str, Any]]:
    by_itself = {one.service: round(one.ratio, 3) for one in slowdowns(self_laps(now), self_laps(quiet))}
    between = {one.service: round(one.ratio, 3) for one in slowdowns(gap_laps(now), gap_laps(quiet))}
    spent, usual = _self_ms(now), _self_ms(quiet)
    spans, before = _counts(now), _counts(quiet)
    rows = [
        {"service": name, "spans": spans[name][0], "errors": spans[name][1], "quiet_spans": before[name][0],
         "quiet_errors": before[name][1], "self_ms": spent[name], "quiet_self_ms": usual.get(name, 0.0),
         "slowdown": by_itself.get(name), "gap_slowdown": between.get(name)}
        for name in spans
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (row["quiet_self_ms"] - row["self_ms"], row["service"]))


def _self_ms(forest: Forest) -> dict[str, float]:
    """Time inside each service for one trace, on average."""
    found: dict[str, float] = defaultdict(float)
    for span in forest.spans:
        found[span.service] += forest.self_ms(span)
    return {name: round(total / len(forest.traces), 3) for name, total in found.items()}


def _counts(forest: Forest) -> dict[str, tuple[int, int]]:
    spans, errors = Counter(span.service for span in forest.spans), Counter(s.service for s in forest.spans if s.error)
    return defaultdict(lambda: (0, 0), {name: (many, errors[name]) for name, many in spans.items()})


def _calls(now: Forest, quiet: Forest) -> list[dict[str, Any]]:
    """Calls whose client's span is there, so that the gap can be told."""
    usual = {edge: _median(gaps) for edge, (gaps, _) in _gaps(quiet).items()}
    rows = [
        {"caller": caller, "callee": callee, "calls": len(gaps), "errors": errors, "gap_ms": _median(gaps),
         "quiet_gap_ms": usual.get((caller, callee))}
        for (caller, callee), (gaps, errors) in _gaps(now).items()
    ]  # fmt: skip
    return sorted(rows, key=lambda row: ((row["quiet_gap_ms"] or 0.0) - row["gap_ms"], row["caller"], row["callee"]))


def _gaps(forest: Forest) -> dict[tuple[str, str], tuple[list[float], int]]:
    found: dict[tuple[str, str], tuple[list[float], int]] = {}
    for span in forest.spans:
        callee = forest.call_under(span)
        if callee is not None:
            gaps, errors = found.setdefault((span.service, callee.service), ([], 0))
            gaps.append(max(0.0, span.duration_ms - callee.duration_ms))
            found[span.service, callee.service] = (gaps, errors + bool(span.error))
    return found


def _median(values: list[float]) -> float:
    return round(float(np.median(values)), 3)


def _failing(now: Forest, quiet: Forest) -> list[dict[str, Any]]:
    before = Counter((span.service, span.error[:ERROR_LENGTH]) for span in quiet.deepest_failures())
    counts = Counter((span.service, span.error[:ERROR_LENGTH]) for span in now.deepest_failures())
    return [
        {"service": service, "error": error, "count": count, "quiet_count": before[service, error]}
        for (service, error), count in counts.most_common()
    ]


def _figures(data: dict[str, Any]) -> dict[str, float]:
    figures = {
        f"{row['service']} {name}": row[name] for row in data["services"] for name in ("self_ms", "quiet_self_ms")
    }
    for row in data["calls"]:
        for name in ("gap_ms", "quiet_gap_ms"):
            if row[name] is not None:
                figures[f"{row['caller']} → {row['callee']} {name}"] = row[name]
    return figures


def _summary(times: TwoTimes, data: dict[str, Any]) -> str:
    range_ = f"{times.window.since:%H:%M:%S}–{times.window.until:%H:%M:%S} UTC"
    if not data["traces"]:
        return f"No trace begins in {range_}; {data['quiet_traces']:,} do in the quiet time"
    if not data["quiet_traces"]:
        return f"{data['traces']:,} traces in {range_}, and none in a quiet time to compare them with"
    said = [f"{data['traces']:,} traces in {range_} beside {data['quiet_traces']:,} quiet ones"]
    if (first := data["services"][0])["self_ms"] > first["quiet_self_ms"]:
        took, usual = duration(first["self_ms"]), duration(first["quiet_self_ms"])
        said.append(f"most time gained in {first['service']}: {took} a trace, usually {usual}")
    if data["calls"] and (call := data["calls"][0])["gap_ms"] > (call["quiet_gap_ms"] or 0.0):
        usual = "unknown" if call["quiet_gap_ms"] is None else duration(call["quiet_gap_ms"])
        said.append(
            f"widest gap grown {call['caller']} → {call['callee']}: {duration(call['gap_ms'])}, usually {usual}"
        )
    if data["failing"]:
        said.append(f"{data['failing'][0]['count']:,} fail deepest in {data['failing'][0]['service']}")
    return "; ".join(said)


TOOL = Tool(
    name="trace_breakdown",
    summary="Where the time of requests goes beside a quiet time: inside which service, between which caller and "
    "callee (network, queue), and where requests fail deepest.",
    params=TraceBreakdown,
    risk=Risk.READ,
    run=run,
    timeout_s=60.0,
    needs=("traces",),
)

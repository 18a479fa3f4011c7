"""Spans joined to traces: self time, calls between services, the deepest failure. Pure; reads no source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tools.sources.traces.span import Span

MAX_DEPTH = 200  # a ring of parents, which damaged data can hold, ends here


@dataclass(frozen=True, slots=True)
class Call:
    """One call from one service to another."""

    caller: str
    callee: str
    duration_ms: float
    is_error: bool


class Forest:
    """The spans of some traces. Parents are looked up within a trace, since span ids repeat between traces."""

    def __init__(self, spans: list[Span]):
        self.spans = spans
        self.traces: dict[str, list[Span]] = defaultdict(list)
        self._by_id = {(span.trace_id, span.span_id): span for span in spans}
        self._children: dict[tuple[str, str], list[Span]] = defaultdict(list)
        for span in spans:
            self.traces[span.trace_id].append(span)
            if span.parent_id:
                self._children[span.trace_id, span.parent_id].append(span)
        self._self_ms = {(span.trace_id, span.span_id): self._without_children(span) for span in spans}

    def keep(self, is_kept: Callable[[list[Span]], bool]) -> Forest:
        """Only the traces for which that holds."""
        return Forest([span for trace in self.traces.values() if is_kept(trace) for span in trace])

    def children(self, span: Span) -> list[Span]:
        return self._children.get((span.trace_id, span.span_id), [])

    def parent(self, span: Span) -> Span | None:
        return self._by_id.get((span.trace_id, span.parent_id)) if span.parent_id else None

    def call_under(self, span: Span) -> Span | None:
        """The server's span under a client's: the only child, where another service made it."""
        children = self.children(span)
        return children[0] if len(children) == 1 and children[0].service != span.service else None

    def self_ms(self, span: Span) -> float:
        """Duration less the time in which at least one child ran."""
        return self._self_ms[span.trace_id, span.span_id]

    def _without_children(self, span: Span) -> float:
        start, end = span.start_us / 1_000, span.start_us / 1_000 + span.duration_ms
        covered, reached = 0.0, start
        for child in sorted(self.children(span), key=lambda child: child.start_us):
            low = max(child.start_us / 1_000, reached)
            high = min(child.start_us / 1_000 + child.duration_ms, end)
            if high > low:
                covered, reached = covered + high - low, high
        return max(0.0, span.duration_ms - covered)

    def calls_of(self, spans: Iterable[Span]) -> list[Call]:
        """Calls that cross from one service to another, those to a callee that writes no spans included."""
        calls = []
        for span in spans:
            parent = self.parent(span)
            if parent and parent.service != span.service:
                calls.append(Call(parent.service, span.service, span.duration_ms, bool(span.error)))
            is_seen = any(child.service == span.peer for child in self.children(span))
            if span.peer and span.peer != span.service and not is_seen:
                calls.append(Call(span.service, span.peer, span.duration_ms, bool(span.error)))
        return calls

    def deepest_failures(self) -> list[Span]:
        """Of each trace that failed, the failing span that lies deepest; of several, the first."""
        failing = ([span for span in trace if span.error] for trace in self.traces.values())
        return [max(spans, key=lambda span: (self.depth(span), -span.start_us)) for spans in failing if spans]

    def depth(self, span: Span) -> int:
        depth, above = 0, self.parent(span)
        while above is not None and depth < MAX_DEPTH:
            depth, above = depth + 1, self.parent(above)
        return depth


def describe_services(forest: Forest) -> list[dict[str, Any]]:
    """One row a service, most spans first."""
    by_service: dict[str, list[Span]] = defaultdict(list)
    for span in forest.spans:
        by_service[span.service].append(span)
    rows = [
        {
            "service": service,
            "spans": len(spans),
            "errors": sum(1 for span in spans if span.error),
            **_quantiles("", [span.duration_ms for span in spans]),
            **_quantiles("self_", [forest.self_ms(span) for span in spans]),
        }
        for service, spans in by_service.items()
    ]
    return sorted(rows, key=lambda row: (-row["spans"], row["service"]))


def describe_edges(forest: Forest, topology: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """One row a caller and callee, most calls first; those only known from the topology with 0 calls."""
    by_edge: dict[tuple[str, str], list[Call]] = {edge: [] for edge in topology}
    for call in forest.calls_of(forest.spans):
        by_edge.setdefault((call.caller, call.callee), []).append(call)
    rows = [
        {
            "caller": caller,
            "callee": callee,
            "calls": len(calls),
            "errors": sum(call.is_error for call in calls),
            **_quantiles("", [call.duration_ms for call in calls]),
        }
        for (caller, callee), calls in by_edge.items()
    ]
    return sorted(rows, key=lambda row: (-row["calls"], row["caller"], row["callee"]))


def _quantiles(prefix: str, values: list[float]) -> dict[str, float]:
    p50, p99 = np.percentile(values, (50, 99)).tolist() if values else (0.0, 0.0)
    return {f"{prefix}p50_ms": round(p50, 3), f"{prefix}p99_ms": round(p99, 3)}

"""Sampled traces of a simulated system: who called whom, how long it took, where it failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.simulator.conditions import Conditions
from tools.simulator.load import MINUTE
from tools.simulator.scenario import Call
from tools.simulator.topology import Node

SIGMA = 0.5  # of the log-normal service times
QUIET_ERRORS = ("context canceled", "unexpected EOF", "request validation failed")


@dataclass(frozen=True, slots=True)
class Outcome:
    duration_ms: float
    error: str  # empty: it worked


class TraceWriter:
    """Walks the topology once a trace. Random numbers are drawn in blocks: one call of numpy a number is too slow."""

    def __init__(self, now: Conditions):
        self._now = now
        self._stream = now.dice.stream("traces")
        self._uniform = _endless(lambda: self._stream.random(8192))
        # Student's t with 4 degrees of freedom: a tail heavier than the normal one, as latencies have it.
        self._heavy = _endless(lambda: np.clip(self._stream.standard_t(4, 4096), -4, 7))
        self.spans: list[dict[str, Any]] = []

    def write(self, count: int) -> list[dict[str, Any]]:
        """`count` traces in rising time of their start."""
        now = self._now
        minutes = np.sort(self._stream.choice(now.clock.minutes, size=count, p=now.load / now.load.sum()))
        offsets = self._stream.uniform(0, 1, count)
        entries = now.topology.entries()
        weights = np.array([entry.outside_rps for entry in entries])
        chosen = self._stream.choice(len(entries), size=count, p=weights / weights.sum())
        starts = np.sort(minutes + offsets)
        for start, entry in zip(starts.tolist(), chosen.tolist(), strict=True):
            if now.clock.at(start) < now.clock.as_of:
                self._trace(entries[entry], start)
        return self.spans

    def _trace(self, entry: Node, start: float) -> None:
        trace_id = self._stream.bytes(16).hex()
        route = entry.routes[int(self._chance() * len(entry.routes))]
        method = "POST" if self._chance() < 0.3 else "GET"
        self._span(trace_id, None, entry, f"{method} {route}", start)

    def _span(self, trace_id: str, parent: str | None, node: Node, name: str, start: float) -> Outcome:
        minute = int(start)
        own_ms = node.latency_ms * float(np.exp(SIGMA * next(self._heavy))) * float(self._now.load[minute])
        span: dict[str, Any] = {
            "trace_id": trace_id,
            "span_id": f"{len(self.spans):08x}{int(self._chance() * 2**32):08x}",
            "parent_id": parent,
            "service": node.name,
            "name": name,
            "start": _iso_ms(self._now, start),
        }
        self.spans.append(span)
        outcome = self._work(node, start, own_ms, span)
        span["duration_ms"] = round(outcome.duration_ms, 1)
        span["status"] = "ERROR" if outcome.error else "OK"
        if outcome.error:
            span["error"] = outcome.error
        return outcome

    def _work(self, node: Node, start: float, own_ms: float, span: dict[str, Any]) -> Outcome:
        strain = self._now.strains.by_role[node.role]
        minute = self._minute(start)
        if self._now.clock.at(start) >= self._now.clock.onset:
            if self._chance() < strain.own_slow_share[minute]:
                own_ms += float(strain.own_slow_ms[minute]) * (0.6 + 0.4 * self._chance())
            if self._chance() < strain.own_errors[minute]:
                error = self._now.strains.effects[node.role].span_error or "internal error"
                return Outcome(own_ms + strain.own_error_ms, self._now.values.text(error))
        if self._chance() < self._now.quiet_error_rate(node):
            return Outcome(own_ms, QUIET_ERRORS[int(self._chance() * len(QUIET_ERRORS))])
        return self._call_all(node, start, own_ms, span)

    def _call_all(self, node: Node, start: float, own_ms: float, span: dict[str, Any]) -> Outcome:
        spent = own_ms / 2
        for call in node.calls:
            if self._chance() >= call.share:
                continue
            answer = self._call(node, call, start + spent / 60_000, span)
            spent += answer.duration_ms
            if answer.error:
                return Outcome(spent, answer.error)
        return Outcome(spent + own_ms / 2, "")

    def _call(self, node: Node, call: Call, start: float, span: dict[str, Any]) -> Outcome:
        """What the caller sees: the callee's answer, its own patience, or a door that stays shut."""
        callee = self._now.topology.nodes[call.to]
        if self._chance() < self._now.strains.by_role[call.to].refused[self._minute(start)]:
            return self._refused(callee, call, start)
        name = callee.kind.spans[int(self._chance() * len(callee.kind.spans))]
        answer = self._span(span["trace_id"], span["span_id"], callee, name, start)
        if call.timeout_ms and answer.duration_ms > call.timeout_ms:
            return Outcome(call.timeout_ms, f"no answer from {callee.name} within {call.timeout_ms:.0f}ms")
        passes = answer.error and self._felt(node, call, start) and self._chance() < call.passes
        return Outcome(answer.duration_ms, f"{callee.name} answered with an error" if passes else "")

    def _refused(self, callee: Node, call: Call, start: float) -> Outcome:
        effect = self._now.strains.effects[callee.role]
        passes = self._now.clock.at(start) >= self._now.clock.onset and self._chance() < call.passes
        return Outcome(3 + 6 * self._chance(), self._now.values.text(effect.span_error) if passes else "")

    def _felt(self, node: Node, call: Call, start: float) -> bool:
        """Until `delay` minutes after the onset retries still hide a callee's failures, and always before it."""
        late = self._now.strains.delay[node.role, call.to]
        return start >= self._now.clock.onset_minute + late

    def _minute(self, start: float) -> int:
        return min(int(start), self._now.clock.minutes - 1)

    def _chance(self) -> float:
        return next(self._uniform)


def _endless(draw: Callable[[], NDArray[np.float64]]) -> Iterator[float]:
    while True:
        yield from draw().tolist()


def _iso_ms(now: Conditions, minute: float) -> str:
    at = now.clock.start + minute * MINUTE
    at -= timedelta(microseconds=at.microsecond % 1000)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"

"""Who logs what, and how often, minute by minute. The lines themselves are written in logs.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tools.simulator.conditions import Conditions
from tools.simulator.load import Series
from tools.simulator.scenario import Burst, Call, LogLine, SteadyErrors
from tools.simulator.topology import Node

# What a caller writes when a callee fails it; the text differs by what it saw.
CALLER_FAILED = LogLine(text="call to $callee failed: 503 Service Unavailable after <ms:$ms>ms, request <hex:12>")
CALLER_GAVE_UP = LogLine(text="call to $callee timed out after ${ms}ms, request <hex:12>")
CALLER_RETRIES = LogLine(text="retrying call to $callee, attempt <int:2:3> of 3", level="WARN")
GATEWAY_FAILED = LogLine(
    text='<ip> "<method> <route> HTTP/1.1" 502 <int:140:310> <ms:$ms>ms', fields={"http.status_code": "502"}
)
PER_MINUTE_AT_FULL_LOSS = {"gateway": 70.0, "failed": 42.0, "retries": 16.0}  # logging is sampled: not one a request


@dataclass(frozen=True, slots=True)
class Emission:
    """One template of one service and how many lines a minute it writes, over the whole window."""

    node: Node
    line: LogLine
    per_minute: Series
    from_onset: bool = False  # in the onset's own minute, only after it


def all_emissions(
    now: Conditions, steady: Sequence[SteadyErrors], bursts: Sequence[Burst], total: int
) -> list[Emission]:
    """Near `total` lines; chatter fills up what the rest leaves."""
    special = [*_trickle(now), *_steady(now, steady), *_bursts(now, bursts), *_fault(now), *_callers(now)]
    rest = total - sum(float(emission.per_minute.sum()) for emission in special)
    return [*special, *_chatter(now, max(rest, 0))]


def _chatter(now: Conditions, total: float) -> Iterator[Emission]:
    """A busy service writes more, but not in proportion: the square root keeps the small ones visible."""
    all_weights = sum(node.rps**0.5 for node in now.topology.nodes.values())
    for node in now.topology.callers_first():
        share = total * node.rps**0.5 / all_weights / sum(_rate(now, line) for line in node.kind.chatter)
        strain = now.strains.by_role[node.role]
        busy = now.load * (1 - strain.refused) * (1 - 0.8 * strain.errors)
        for line in node.kind.chatter:
            yield Emission(node, line, busy / now.load.sum() * share * _rate(now, line))


def _trickle(now: Conditions) -> Iterator[Emission]:
    for node in now.topology.callers_first():
        for line in node.kind.trickle:
            yield Emission(node, line, np.full(now.clock.minutes, _rate(now, line)))
        for line in node.chatter:
            yield Emission(node, _named(now, line), now.load * _rate(now, line))


def _steady(now: Conditions, steady: Sequence[SteadyErrors]) -> Iterator[Emission]:
    for part in steady:
        for line in part.logs:
            yield Emission(now.topology.nodes[part.role], _named(now, line), now.load * _rate(now, line))


def _bursts(now: Conditions, bursts: Sequence[Burst]) -> Iterator[Emission]:
    for burst in bursts:
        active = _active(now, burst)
        for line in burst.lines:
            yield Emission(now.topology.nodes[burst.role], _named(now, line), active * _rate(now, line))


def _active(now: Conditions, burst: Burst) -> Series:
    begin = now.clock.onset_minute - now.values.number(burst.minutes_before, "burst", burst.role)
    lasts = now.values.number(burst.lasts_minutes, "burst", burst.role, "lasts")
    since = np.arange(now.clock.minutes) - begin
    if burst.every_minutes is not None:
        since = since % now.values.number(burst.every_minutes, "burst", burst.role, "every")
    return np.where((since >= 0) & (since < lasts), 1.0, 0.0)


def _fault(now: Conditions) -> Iterator[Emission]:
    for role, effect in now.strains.effects.items():
        for line in effect.logs:
            per_minute = now.strains.strength(role, line.shape) * now.load * _rate(now, line)
            yield Emission(now.topology.nodes[role], _named(now, line), per_minute, from_onset=True)


def _callers(now: Conditions) -> Iterator[Emission]:
    """Lines grow with the share of requests a caller loses to a callee; a gateway also writes its access line."""
    for node in now.topology.callers_first():
        strain = now.strains.by_role[node.role]
        lost = (strain.errors - strain.own_errors) * now.load
        if float(lost.max()) < 0.005:
            continue
        if node.kind.spans == ("proxy",):
            line = _about(now, GATEWAY_FAILED, "", float(strain.tail_ms.max()))
            yield Emission(node, line, lost * PER_MINUTE_AT_FULL_LOSS["gateway"], from_onset=True)
        for call in node.calls:
            yield from _caller(now, node, call, lost)


def _caller(now: Conditions, node: Node, call: Call, lost: Series) -> Iterator[Emission]:
    callee = now.strains.by_role[call.to]
    waits = call.timeout_ms is not None and float(callee.tail_ms.max()) > call.timeout_ms
    if not waits and float((callee.errors + callee.refused).max()) <= 0.01:
        return
    effect = now.strains.effects.get(call.to)
    if effect is not None and effect.callers_log:
        line = _named(now, LogLine(text=effect.callers_log))
    elif waits:
        line = _about(now, CALLER_GAVE_UP, call.to, call.timeout_ms or 0.0)
    else:
        line = _about(now, CALLER_FAILED, call.to, float(callee.tail_ms.max()))
    yield Emission(node, line, lost * PER_MINUTE_AT_FULL_LOSS["failed"], from_onset=True)
    retries = _about(now, CALLER_RETRIES, call.to, 0.0)
    yield Emission(node, retries, lost * PER_MINUTE_AT_FULL_LOSS["retries"], from_onset=True)


def _about(now: Conditions, line: LogLine, callee: str, ms: float) -> LogLine:
    known = {"callee": now.topology.name(callee) if callee else "", "ms": f"{max(ms, 4):.0f}"}
    return line.model_copy(update={"text": now.values.text(line.text, known)})


def _named(now: Conditions, line: LogLine) -> LogLine:
    fields = {name: now.values.text(value) for name, value in line.fields.items()}
    return line.model_copy(update={"text": now.values.text(line.text), "fields": fields})


def _rate(now: Conditions, line: LogLine) -> float:
    return now.values.number(line.per_minute, "rate", line.text)

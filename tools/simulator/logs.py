"""The log lines of a simulated system: chatter, the steady trickle, bursts, the fault's own lines and what callers say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tools.simulator.load import MINUTE, Series
from tools.simulator.metrics import Conditions
from tools.simulator.scenario import Burst, LogLine, SteadyErrors
from tools.simulator.texts import fill, hexes
from tools.simulator.topology import Node

# What a caller writes when a callee fails it; the texts differ by what it saw.
CALLER_FAILED = LogLine(text="call to {callee} failed: 503 Service Unavailable after <ms:{ms}>ms, request <hex:12>")
CALLER_GAVE_UP = LogLine(text="call to {callee} timed out after {ms}ms, request <hex:12>")
GATEWAY_LINE = LogLine(
    text='<ip> "<method> <route> HTTP/1.1" 502 <int:140:310> <ms:{ms}>ms', fields={"http.status_code": "502"}
)
CALLER_RETRY = LogLine(text="retrying call to {callee}, attempt <int:2:3> of 3", level="WARN")


@dataclass(frozen=True, slots=True)
class Emission:
    """One template of one service and how many lines a minute it writes, over the whole window."""

    node: Node
    line: LogLine
    per_minute: Series
    from_onset: bool = False  # in the onset's own minute, only after it


def write_logs(
    now: Conditions,
    steady: Sequence[SteadyErrors],
    bursts: Sequence[Burst],
    total: int,
    spans: Sequence[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Near `total` lines in rising time; chatter fills up what the rest leaves."""
    special = [*_trickle(now), *_steady(now, steady), *_bursts(now, bursts), *_fault(now), *_callers(now)]
    rest = total - sum(float(emission.per_minute.sum()) for emission in special)
    emissions = [*special, *_chatter(now, max(rest, 0))]
    stream = now.dice.stream("logs")
    trace_ids = _failed_traces(now, spans)
    rows = [row for emission in emissions for row in _rows(now, emission, stream, trace_ids)]
    rows.sort(key=lambda row: row[0])
    return [record for _, record in rows]


def _chatter(now: Conditions, total: float) -> Iterator[Emission]:
    """A busy service writes more, but not in proportion: the square root keeps the small ones visible."""
    weight = {node.role: node.rps**0.5 for node in now.topology.nodes.values()}
    for node in now.topology.callers_first():
        lines = sum(float(line.per_minute) for line in node.kind.chatter if isinstance(line.per_minute, float))
        share = total * weight[node.role] / sum(weight.values()) / lines
        strain = now.strains.by_role[node.role]
        busy = now.load * (1 - strain.refused) * (1 - 0.8 * strain.errors)
        for line in node.kind.chatter:
            yield Emission(node, line, busy / now.load.sum() * share * _rate(now, line))


def _trickle(now: Conditions) -> Iterator[Emission]:
    for node in now.topology.callers_first():
        for line in node.kind.trickle:
            yield Emission(node, line, np.full(now.clock.minutes, _rate(now, line)))


def _steady(now: Conditions, steady: Sequence[SteadyErrors]) -> Iterator[Emission]:
    for part in steady:
        for line in part.logs:
            yield Emission(now.topology.nodes[part.role], _named(now, line), now.load * _rate(now, line))


def _bursts(now: Conditions, bursts: Sequence[Burst]) -> Iterator[Emission]:
    for burst in bursts:
        begin = now.clock.onset_minute - now.values.number(burst.minutes_before, "burst", burst.role)
        minute = np.arange(now.clock.minutes)
        lasts = now.values.number(burst.lasts_minutes, "burst", burst.role, "lasts")
        active = np.where((minute >= begin) & (minute < begin + lasts), 1.0, 0.0)
        for line in burst.lines:
            yield Emission(now.topology.nodes[burst.role], _named(now, line), active * _rate(now, line))


def _fault(now: Conditions) -> Iterator[Emission]:
    for role, effect in now.strains.effects.items():
        strength = now.strains.intensity[role] * now.load
        for line in effect.logs:
            yield Emission(now.topology.nodes[role], _named(now, line), strength * _rate(now, line), from_onset=True)


def _callers(now: Conditions) -> Iterator[Emission]:
    """Lines grow with the share of requests a caller loses to a callee; a gateway writes its access line."""
    for node in now.topology.callers_first():
        strain = now.strains.by_role[node.role]
        lost = (strain.errors - strain.own_errors) * now.load
        if float(lost.max(initial=0.0)) < 0.005:
            continue
        if node.kind.spans == ("proxy",):
            yield Emission(node, _filled(GATEWAY_LINE, "", float(strain.tail_ms.max())), lost * 70, from_onset=True)
        for call in node.calls:
            callee = now.strains.by_role[call.to]
            failing = float((callee.errors + callee.refused).max(initial=0.0))
            waits = call.timeout_ms is not None and float(callee.tail_ms.max(initial=0.0)) > call.timeout_ms
            name = now.topology.name(call.to)
            if waits:
                yield Emission(node, _filled(CALLER_GAVE_UP, name, call.timeout_ms or 0), lost * 45, from_onset=True)
            elif failing > 0.01 and not float(callee.refused.max(initial=0.0)):
                yield Emission(
                    node, _filled(CALLER_FAILED, name, float(callee.tail_ms.max())), lost * 40, from_onset=True
                )
            if waits or failing > 0.01:
                yield Emission(node, _filled(CALLER_RETRY, name, 0), lost * 16, from_onset=True)


def _filled(line: LogLine, callee: str, ms: float) -> LogLine:
    return line.model_copy(update={"text": line.text.format(callee=callee, ms=max(round(ms), 4))})


def _named(now: Conditions, line: LogLine) -> LogLine:
    return line.model_copy(update={"text": now.values.text(line.text)})


def _rate(now: Conditions, line: LogLine) -> float:
    return now.values.number(line.per_minute, "rate", line.text)


def _rows(
    now: Conditions, emission: Emission, stream: np.random.Generator, trace_ids: dict[tuple[str, int], list[str]]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(milliseconds since the start, record) of one emission."""
    counts = stream.poisson(emission.per_minute)
    minutes = np.repeat(np.arange(now.clock.minutes), counts)
    offsets = stream.uniform(0, 1, len(minutes))
    if emission.from_onset:
        opens = np.clip(now.clock.onset_minute - minutes, 0, 1)
        offsets = opens + offsets * (1 - opens)
    millis = ((minutes + offsets) * 60_000).astype(np.int64)
    latest = int((now.clock.as_of - now.clock.start) / MINUTE * 60_000)
    millis = millis[millis < latest]
    yield from zip(millis.tolist(), _records(now, emission, millis, stream, trace_ids), strict=True)


def _records(
    now: Conditions,
    emission: Emission,
    millis: np.ndarray[Any, np.dtype[np.int64]],
    stream: np.random.Generator,
    trace_ids: dict[tuple[str, int], list[str]],
) -> Iterator[dict[str, Any]]:
    line, node, count = emission.line, emission.node, len(millis)
    start = np.datetime64(now.clock.start.replace(tzinfo=None), "ms")
    stamps = np.datetime_as_string(start + millis, unit="ms").tolist()
    texts = fill(line.text, count, stream, node.routes)
    fields = {name: fill(value, count, stream, node.routes) for name, value in line.fields.items()}
    random_ids = hexes(stream, count, 32)
    failed = line.level in ("ERROR", "FATAL")
    for i in range(count):
        sampled = trace_ids.get((node.name, int(millis[i]) // 60_000)) if failed else None
        record = {"timestamp": f"{stamps[i]}Z", "service": node.name, "severity_text": line.level, "msg": texts[i]}
        if node.kind.errors:  # databases and caches log no trace
            record["trace_id"] = sampled[i % len(sampled)] if sampled else random_ids[i]
        record.update({name: _typed(values[i]) for name, values in fields.items()})
        yield record


def _typed(text: str) -> str | int:
    return int(text) if text.isdigit() else text


def _failed_traces(now: Conditions, spans: Sequence[dict[str, Any]]) -> dict[tuple[str, int], list[str]]:
    """(service, minute) → ids of its failed traces, so that an error line leads to a trace that shows the same."""
    ids: dict[tuple[str, int], list[str]] = {}
    minute_of = {stamp[:16]: minute for minute, stamp in enumerate(now.clock.stamps())}
    for span in spans:
        if span["status"] == "ERROR" and span["start"][:16] in minute_of:
            ids.setdefault((span["service"], minute_of[span["start"][:16]]), []).append(span["trace_id"])
    return ids

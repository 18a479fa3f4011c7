"""The log lines of a simulated system: when each is written, its text, its fields and the trace it belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.simulator.conditions import Conditions
from tools.simulator.emissions import Emission
from tools.simulator.load import MINUTE
from tools.simulator.texts import fill, hexes

Record = dict[str, Any]
TraceIds = dict[tuple[str, int], list[str]]  # (service, minute) → traces that failed there


def write_logs(now: Conditions, emissions: Sequence[Emission], spans: Sequence[dict[str, Any]]) -> list[Record]:
    """All lines in rising time."""
    stream = now.dice.stream("logs")
    failed = _failed_traces(now, spans)
    rows: list[tuple[int, Record]] = []
    for emission in emissions:
        millis = _moments(now, emission, stream)
        rows += zip(millis.tolist(), _records(now, emission, millis, stream, failed), strict=True)
    rows.sort(key=lambda row: row[0])
    return [record for _, record in rows]


def _moments(now: Conditions, emission: Emission, stream: np.random.Generator) -> NDArray[np.int64]:
    """Milliseconds since the start, each before as_of."""
    minutes = np.repeat(np.arange(now.clock.minutes), stream.poisson(emission.per_minute))
    offsets = stream.uniform(0, 1, len(minutes))
    if emission.from_onset:
        opens = np.clip(now.clock.onset_minute - minutes, 0, 1)
        offsets = opens + offsets * (1 - opens)
    millis = ((minutes + offsets) * 60_000).astype(np.int64)
    return millis[millis < (now.clock.as_of - now.clock.start) / MINUTE * 60_000]


def _records(
    now: Conditions, emission: Emission, millis: NDArray[np.int64], stream: np.random.Generator, failed: TraceIds
) -> Iterator[Record]:
    line, node = emission.line, emission.node
    stamps = np.datetime_as_string(np.datetime64(now.clock.start.replace(tzinfo=None), "ms") + millis).tolist()
    texts = fill(line.text, stamps, stream, node.routes)
    fields = {name: fill(value, stamps, stream, node.routes) for name, value in line.fields.items()}
    trace_ids = _trace_ids(emission, millis, stream, failed)
    for i, stamp in enumerate(stamps):
        record: Record = {"timestamp": f"{stamp}Z", "service": node.name, "severity_text": line.level, "msg": texts[i]}
        if trace_ids:
            record["trace_id"] = trace_ids[i]
        record.update({name: _typed(values[i]) for name, values in fields.items()})
        yield record


def _trace_ids(
    emission: Emission, millis: NDArray[np.int64], stream: np.random.Generator, failed: TraceIds
) -> list[str]:
    """An error line leads to a sampled trace that failed there in that minute, if one did. Databases log none."""
    if not emission.node.kind.errors:
        return []
    ids = hexes(stream, len(millis), 32)
    if emission.line.level not in ("ERROR", "FATAL"):
        return ids
    for i, minute in enumerate((millis // 60_000).tolist()):
        sampled = failed.get((emission.node.name, minute))
        ids[i] = sampled[i % len(sampled)] if sampled else ids[i]
    return ids


def _typed(text: str) -> str | int:
    return int(text) if text.isdigit() else text


def _failed_traces(now: Conditions, spans: Sequence[dict[str, Any]]) -> TraceIds:
    ids: TraceIds = {}
    for span in spans:
        if span["status"] == "ERROR":
            minute = int((datetime.fromisoformat(span["start"]) - now.clock.start) / MINUTE)
            ids.setdefault((span["service"], minute), []).append(span["trace_id"])
    return ids

"""Traces in JSON files, under the field names in use, and who calls whom as a folder says it otherwise."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from tools.sources.confined import Fingerprint, Refused, Root
from tools.sources.json_rows import read_rows
from tools.sources.metrics.calls import calls_in
from tools.sources.spec import SourceState, problem_of
from tools.sources.timestamps import from_us, read_us
from tools.sources.traces.span import Span
from tools.sources.words import clean_value, first_of, text_of

NAME = re.compile(r"(?:traces|spans).*\.(?:json|jsonl|ndjson)(?:\.gz|\.zst)?\Z", re.IGNORECASE)

STARTS = ("start", "start_time", "startTime", "timestamp", "time", "ts", "startTimeUnixNano")
ENDS = ("end", "end_time", "endTime", "endTimeUnixNano")
DURATIONS_MS = (
    ("duration_ms", 1.0),
    ("durationMs", 1.0),
    ("duration_us", 1e-3),
    ("duration_ns", 1e-6),
    ("duration", 1.0),
)
PARENTS = ("parent_id", "parent_span_id", "parentSpanId", "parentId", "parentSpanID", "parent")
SERVICES = ("service", "service_name", "serviceName", "service.name")
NAMES = ("name", "operation", "operation_name", "operationName", "span_name")
ERROR_TEXTS = ("error", "error_message", "error.message", "status_message", "statusMessage", "exception.message")
FAILED = ("error", "status_code_error", "failed", "fail", "2")
CALLEES = ("peer.service", "peer_service", "db.system", "messaging.system")


def read_span(row: dict[str, Any], zone: tzinfo = UTC) -> Span | None:
    """None for a row without a trace, a span or a start."""
    attributes = row.get("attributes")
    flat = {**attributes, **row} if isinstance(attributes, dict) else row
    trace_id = text_of(first_of(flat, ("trace_id", "traceId", "traceID")))
    span_id = text_of(first_of(flat, ("span_id", "spanId", "spanID", "id")))
    start_us = read_us(first_of(flat, STARTS), zone)
    if not trace_id or not span_id or start_us is None:
        return None
    return Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=text_of(first_of(flat, PARENTS)),
        service=text_of(first_of(flat, SERVICES)),
        name=text_of(first_of(flat, NAMES)),
        start_us=start_us,
        duration_ms=_duration_ms(flat, start_us, zone),
        error=_error(flat),
        peer=text_of(first_of(flat, CALLEES)),
        fields=clean_value(attributes) if isinstance(attributes, dict) else {},
    )


def _duration_ms(row: dict[str, Any], start_us: int, zone: tzinfo) -> float:
    for name, factor in DURATIONS_MS:
        try:
            return max(0.0, float(row[name]) * factor)
        except (KeyError, TypeError, ValueError):
            continue
    end_us = read_us(first_of(row, ENDS), zone)
    return max(0.0, (end_us - start_us) / 1_000) if end_us is not None else 0.0


def _error(row: dict[str, Any]) -> str:
    """Text of the failure, "" for a span that did not fail."""
    status = first_of(row, ("status", "status_code", "statusCode", "otel.status_code"))
    if isinstance(status, dict):
        row, status = {**row, "status_message": status.get("message")}, status.get("code")
    text = next((value for name in ERROR_TEXTS if isinstance(value := row.get(name), str) and value), "")
    is_failed = str(status).lower() in FAILED or row.get("error") is True
    if text and (is_failed or row.get("error") == text):
        return text_of(text)
    code = first_of(row, ("http.status_code", "http.response.status_code"))
    return (f"HTTP {code}" if code else "error without a message") if is_failed else ""


@dataclass(frozen=True, slots=True)
class Traces:
    spans: list[Span]
    skipped: int


@lru_cache(maxsize=16)
def _read(root: str, file: str, seen: Fingerprint, zone: str) -> Traces:
    rows, skipped = read_rows(Root(root), file, ("spans", "data", "traces"))
    spans = [span for row in rows if (span := read_span(row, ZoneInfo(zone)))]
    return Traces(spans, skipped + len(rows) - len(spans))


@dataclass(slots=True)
class FileTraces:
    name: str
    root: Root
    files: list[str]
    topology_file: str = ""
    call_tables: Sequence[str] = ()  # metrics that count calls
    zone: str = "UTC"
    notes: list[str] = field(default_factory=list)

    def opened(self) -> list[Traces]:
        found, self.notes = [], []
        for file in self.files:
            try:
                found.append(_read(str(self.root.path), file, self.root.fingerprint(file), self.zone))
            except Refused as refusal:
                self.notes.append(str(refusal))
        return found

    def spans(self, since_us: int, until_us: int) -> list[Span]:
        """All spans of every trace that has a span starting in the range, rising."""
        spans = [span for traces in self.opened() for span in traces.spans]
        inside = {span.trace_id for span in spans if since_us <= span.start_us < until_us}
        return sorted((span for span in spans if span.trace_id in inside), key=lambda span: span.start_us)

    def topology(self) -> list[tuple[str, str]]:
        """(caller, callee) of topology.csv and of metrics that count calls; what cannot be read is a note."""
        found = set(self._written())
        for file in self.call_tables:
            try:
                found.update(calls_in(self.root, file))
            except Refused as refusal:
                self.notes.append(str(refusal))
        return sorted(found)

    def _written(self) -> list[tuple[str, str]]:
        if not self.topology_file:
            return []
        try:
            text = self.root.text(self.topology_file, 16 * 2**20)
        except Refused as refusal:
            self.notes.append(str(refusal))
            return []
        rows = csv.DictReader(text.splitlines(), restval="")
        if not {"caller", "callee"} <= set(rows.fieldnames or ()):
            self.notes.append(f"{self.topology_file}: needs the columns 'caller' and 'callee'")
            return []
        return [(text_of(row["caller"]), text_of(row["callee"])) for row in rows if row["caller"] and row["callee"]]

    def state(self) -> SourceState:
        opened = self.opened()
        spans = [span for traces in opened for span in traces.spans]
        edges, skipped = self.topology(), sum(traces.skipped for traces in opened)
        named = {span.service for span in spans} | {service for edge in edges for service in edge}
        return SourceState(
            name=self.name,
            kind="traces",
            rows=len(spans),
            oldest=min((from_us(span.start_us) for span in spans), default=None),
            newest=max((from_us(span.start_us) for span in spans), default=None),
            services=sorted(named - {""}),
            problem=problem_of(
                len(spans) + len(edges), self.notes, skipped, "a trace id, a span id and a start", self.files
            ),
            skipped=skipped,
            notes=tuple(self.notes),
        )

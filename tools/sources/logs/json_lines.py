"""Log lines that are JSON objects: their time, level, service and message under the names in use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, tzinfo
from typing import Any

from pydantic_core import from_json

from tools.sources.logs import levels
from tools.sources.logs.entry import Body, Head
from tools.sources.timestamps import read_us
from tools.sources.words import clean, clean_value, first_of

TIMES = ("timestamp", "time", "ts", "@timestamp", "datetime", "date", "asctime", "eventTime", "t", "timeUnixNano",
         "__REALTIME_TIMESTAMP")  # fmt: skip
LEVEL_NAMES = (
    "severity_text",
    "level",
    "severity",
    "levelname",
    "log.level",
    "loglevel",
    "lvl",
    "log_level",
    "severityText",
)
MESSAGES = ("message", "msg", "log", "body", "text", "event", "@message", "short_message", "MESSAGE", "textPayload")
SERVICES = ("service", "service.name", "service_name", "serviceName", "app", "application", "app_name", "component",
            "container", "container_name", "job", "program", "SYSLOG_IDENTIFIER", "_SYSTEMD_UNIT")  # fmt: skip
# Where shippers and clouds keep what others have at the top: ECS, Kubernetes' filter of Fluent Bit, Google Cloud.
_INNER_LEVELS = (("log", "level"),)
_INNER_SERVICES = (
    ("kubernetes", "container_name"), ("resource", "labels", "container_name"), ("resource", "service.name")
)  # fmt: skip


def head(line: bytes, zone: tzinfo | None = UTC, at_us: int | None = None) -> Head | None:
    """None where the line is no JSON object or has no time; `at_us` is the time of one that has none itself."""
    row = _row(line)
    if row is None:
        return None
    found = read_us(first_of(row, TIMES), zone or UTC)
    at_us = at_us if found is None else found
    return None if at_us is None else Head(at_us, _level(row), _service(row))


def message(line: bytes) -> str:
    """The line's message; the whole line where it has none."""
    row = _row(line) or {}
    return _message(row, _message_name(row), line)


def body(line: bytes) -> Body:
    row = _row(line) or {}
    name = _message_name(row)
    known = {name, *TIMES, *SERVICES[:4], *LEVEL_NAMES[:2]}
    fields = clean_value({key: value for key, value in row.items() if key not in known})
    return Body(_message(row, name, line), fields)


def _message_name(row: dict[str, Any]) -> str:
    there = [name for name in MESSAGES if row.get(name) not in (None, "")]
    return next((name for name in there if isinstance(row[name], str)), there[0] if there else "")


def _message(row: dict[str, Any], name: str, line: bytes) -> str:
    value = row[name] if name else line.decode("utf-8", "replace")
    if isinstance(value, dict) and isinstance(value.get("stringValue"), str):  # OpenTelemetry's way to write a text
        value = value["stringValue"]
    return clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = from_json(line)
    except ValueError:
        row = _lenient(line)
    if not isinstance(row, dict):
        return None
    payload = row.get("jsonPayload")  # Google Cloud: what the program wrote, beside what the cloud knows of it
    return {**payload, **row} if isinstance(payload, dict) else row


def _lenient(line: bytes) -> Any:
    """The slower parser, which also takes lone surrogates and bytes that are not UTF-8."""
    try:
        return json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _level(row: dict[str, Any]) -> int:
    rank = levels.rank(first_of(row, LEVEL_NAMES))
    if rank != levels.UNKNOWN:
        return rank
    if "PRIORITY" in row or "short_message" in row:  # journald and GELF count as syslog does
        return levels.rank_of_syslog(row.get("PRIORITY", row.get("level")))
    return next((rank for value in _inner(row, _INNER_LEVELS) if (rank := levels.rank(value)) >= 0), levels.UNKNOWN)


def _service(row: dict[str, Any]) -> str:
    value = first_of(row, SERVICES)
    if isinstance(value, dict):
        value = value.get("name")
    if value is None and "pid" in row and "hostname" in row:
        value = row.get("name")  # Bunyan and Pino; elsewhere a name is that of a logger
    if value is None:
        value = next(_inner(row, _INNER_SERVICES), None)
    return clean(value, 200) if isinstance(value, str) else ""


def _inner(row: dict[str, Any], paths: tuple[tuple[str, ...], ...]) -> Iterator[Any]:
    for first, *rest in paths:
        value = row.get(first)
        for name in rest:
            value = value.get(name) if isinstance(value, dict) else None
        if value not in (None, ""):
            yield value

"""Log lines that are JSON objects: their time, level, service and message under the names in use."""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import from_json

from tools.sources.logs import levels
from tools.sources.logs.entry import Body, Head
from tools.sources.timestamps import read_us
from tools.sources.words import clean, clean_value, first_of

TIMES = ("timestamp", "time", "ts", "@timestamp", "datetime", "date", "asctime", "eventTime", "t", "timeUnixNano")
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
MESSAGES = ("message", "msg", "log", "body", "text", "event", "@message", "short_message")
SERVICES = ("service", "service.name", "service_name", "serviceName", "app", "application", "app_name", "component",
            "container", "container_name", "job", "program")  # fmt: skip


def head(line: bytes) -> Head | None:
    """None where the line is no JSON object or has no time."""
    row = _row(line)
    if row is None or (at_us := read_us(first_of(row, TIMES))) is None:
        return None
    return Head(at_us, levels.rank(first_of(row, LEVEL_NAMES)), _service(row))


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
    return next((name for name in MESSAGES if row.get(name) not in (None, "")), "")


def _message(row: dict[str, Any], name: str, line: bytes) -> str:
    value = row[name] if name else line.decode("utf-8", "replace")
    return clean(value if isinstance(value, str) else str(value))


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = from_json(line)
    except ValueError:
        row = _lenient(line)
    return row if isinstance(row, dict) else None


def _lenient(line: bytes) -> Any:
    """The slower parser, which also takes lone surrogates and bytes that are not UTF-8."""
    try:
        return json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _service(row: dict[str, Any]) -> str:
    value = first_of(row, SERVICES)
    if isinstance(value, dict):
        value = value.get("name")
    return clean(value, 200) if isinstance(value, str) else ""

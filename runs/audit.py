"""Canonical JSON and the keyed hash chain over a run's Steps. Reading and checking only; append.py writes."""

from __future__ import annotations

import hashlib
import hmac
import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.conf import settings


def canonical(value: Any) -> str:
    """The one spelling of a JSON value: keys sorted, no blanks, NFC, UTF-8. NaN and infinities raise ValueError."""
    text = _spelled(value)
    # ASCII without NUL is normal and storable as it stands, and nearly every payload is.
    return text if text.isascii() and "\\u0000" not in text else _spelled(_normal(value))


# Made once: json.dumps makes an encoder a call where any of its defaults is changed.
_spelled = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def _normal(value: Any) -> Any:
    match value:
        case str():
            return storable(value)
        case Mapping():
            return {_normal(str(key)): _normal(item) for key, item in value.items()}
        case list() | tuple():
            return [_normal(item) for item in value]
        case _:
            return value


def storable(text: str) -> str:
    """The text in NFC, as every database keeps it: PostgreSQL refuses NUL, UTF-8 refuses lone surrogates."""
    if text.isascii() and "\x00" not in text:
        return text
    return unicodedata.normalize("NFC", text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode())


def digest(text: str) -> str:
    """SHA-256 of a text's UTF-8 bytes, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def stamp(at: datetime) -> str:
    """A time as it is chained: UTC, microseconds, whatever the database keeps beside it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@cache
def _key() -> bytes:
    return hashlib.sha256(b"opspilot audit chain\0" + settings.AUDIT_KEY.encode()).digest()


def step_mac(previous: str, row: Mapping[str, Any]) -> str:
    """HMAC-SHA256 over the previous mac and the row's chained columns (RFC 2104; the chain is ours)."""
    return _mac(previous, {name: row[name] for name in CHAINED})


def event_mac(previous: str, row: Mapping[str, Any]) -> str:
    """The same over an event of the installation."""
    return _mac(previous, {name: row[name] for name in EVENT_CHAINED})


def _mac(previous: str, chained: Mapping[str, Any]) -> str:
    return hmac.new(_key(), f"{previous}\n{canonical(chained)}".encode(), hashlib.sha256).hexdigest()


CHAINED = ("run_id", "seq", "kind", "name", "before", "after", "actor", "epoch", "at", "payload_sha256", "key_id")
EVENT_CHAINED = ("seq", "verb", "object", "actor", "at", "payload_sha256", "key_id")


@dataclass(frozen=True, slots=True)
class Damage:
    """The first row at which a chain does not hold. kind: gap, body, payload, head."""

    run_id: int
    seq: int
    kind: str

    def __str__(self) -> str:
        words = {
            "gap": "a step is missing or out of order",
            "body": "the step was altered",
            "payload": "the step's payload was altered",
            "head": "steps are missing at the end",
        }
        return f"run {self.run_id}, step {self.seq}: {words[self.kind]}"


def verify_chain(run_id: int, n_steps: int, head_mac: str, steps: Iterable[Any]) -> Damage | None:
    """Walk a run's Steps in order of seq against its head; None when the chain is whole."""
    previous, expected = "", 1
    for step in steps:
        if step.seq != expected:
            return Damage(run_id, expected, "gap")
        row = {name: getattr(step, name) for name in CHAINED if name != "at"} | {"at": stamp(step.at)}
        if step_mac(previous, row) != step.mac:
            return Damage(run_id, step.seq, "body")
        if step.body is not None and digest(step.body) != step.payload_sha256:
            return Damage(run_id, step.seq, "payload")
        previous, expected = step.mac, expected + 1
    if expected != n_steps + 1 or previous != head_mac:
        return Damage(run_id, expected, "head")
    return None

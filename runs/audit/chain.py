"""Canonical JSON and the keyed hash chains: a run's Steps, the installation's events. Reading and checking only."""

from __future__ import annotations

import hashlib
import hmac
import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.conf import settings
from django.utils.dateparse import parse_datetime

EXPIRY = "payloads_expire"  # the event that covers payloads which were taken away: a tombstone


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
    return f"{at.astimezone(UTC).isoformat(timespec='microseconds')[:-6]}Z"


class NoKey(Exception):
    """A row names a key that is not known here."""


@cache
def _key(secret: str) -> bytes:
    return hashlib.sha256(b"opspilot audit chain\0" + secret.encode()).digest()


def keyed(text: str, key_id: str) -> str:
    """HMAC-SHA256 (RFC 2104) under the key of that id, in hex. Raises NoKey."""
    secret = settings.AUDIT_KEYS.get(key_id)
    if not secret:
        raise NoKey(key_id)
    return hmac.digest(_key(secret), text.encode(), "sha256").hex()


def step_mac(previous: str, row: Mapping[str, Any]) -> str:
    """The mac of a Step: keyed, over the previous mac and the row's chained columns. Raises NoKey."""
    return keyed(f"{previous}\n{canonical({name: row[name] for name in CHAINED})}", row["key_id"])


def event_mac(previous: str, row: Mapping[str, Any]) -> str:
    """The same over an event of the installation."""
    return keyed(f"{previous}\n{canonical({name: row[name] for name in EVENT_CHAINED})}", row["key_id"])


CHAINED = ("run_id", "seq", "kind", "name", "before", "after", "actor", "epoch", "at", "payload_sha256", "key_id")
EVENT_CHAINED = ("seq", "verb", "object", "actor", "at", "payload_sha256", "key_id")
INSTALLATION = 0  # as the run of a damage: the installation's own chain

WORDS = {
    "gap": "a row is missing or out of order",
    "order": "the row stands in another's place",
    "body": "the row was altered",
    "payload": "the row's payload was altered",
    "expired": "the row's payload is gone, and no event says that it expired",
    "key": "the row names a key that is not known here (OPSPILOT_AUDIT_OLD_KEYS)",
    "tail": "rows are missing at the end",
    "head": "the end is not the one that its owner's row names",
    "dropped run": "the whole run is gone; the heads file has seen it",
    "rollback": "the database is an earlier copy, or went on from one; the heads file has seen more",
    "heads file": "the line was altered, or lines before it are missing",
}


@dataclass(frozen=True, slots=True)
class Damage:
    """Where something does not hold first: a row of a run or of the installation (run 0), a line of a heads file."""

    run_id: int
    seq: int
    kind: str

    def __str__(self) -> str:
        if self.kind == "heads file":
            return f"heads file, line {self.seq}: {WORDS[self.kind]}"
        chain, row = (f"run {self.run_id}", "step") if self.run_id else ("the installation", "event")
        return f"{chain}, {row} {self.seq}: {WORDS[self.kind].replace('row', row, 1)}"


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What one event says of expired payloads: Steps with these ids that are older than that."""

    first: int
    last: int
    older_than: datetime

    def covers(self, step: Any) -> bool:
        return bool(self.first <= step.id <= self.last and step.at < self.older_than)


def tombstone_of(event: Any) -> Tombstone | None:
    """None for an event of another verb, or one that does not say what it should."""
    payload = event.payload if event.verb == EXPIRY else {}
    older_than = parse_datetime(str(payload.get("older_than", "")))
    return Tombstone(int(payload["first"]), int(payload["last"]), older_than) if older_than else None


def verify_chain(
    run_id: int, n_steps: int, head_mac: str, steps: Iterable[Any], tombstones: Sequence[Tombstone] | None = None
) -> Damage | None:
    """Walk a run's Steps in order of seq against its head; None when the chain is whole.

    With `tombstones`, a payload that is gone must be covered by one of them; without, that is not looked at.
    """
    return _walk(run_id, (n_steps, head_mac), steps, CHAINED, step_mac, tombstones)


def verify_events(n_events: int, head_mac: str, events: Iterable[Any]) -> Damage | None:
    """Walk the installation's events in order of seq against its head; None when the chain is whole."""
    return _walk(INSTALLATION, (n_events, head_mac), events, EVENT_CHAINED, event_mac, ())


def _walk(
    run_id: int, head: tuple[int, str], rows: Iterable[Any], names: Sequence[str], mac: Callable[..., str],
    tombstones: Sequence[Tombstone] | None,
) -> Damage | None:  # fmt: skip
    previous, seq = "", 0
    for row in rows:
        seq += 1
        if row.seq != seq:
            return Damage(run_id, seq, "gap")
        if problem := _problem(previous, row, names, mac, tombstones):
            return Damage(run_id, seq, problem)
        previous = row.mac
    if seq < head[0]:
        return Damage(run_id, seq + 1, "tail")
    return None if (seq, previous) == head else Damage(run_id, min(seq, head[0] + 1), "head")


def _problem(
    previous: str, row: Any, names: Sequence[str], mac: Callable[..., str], tombstones: Sequence[Tombstone] | None
) -> str:
    """What is wrong with one row that stands where it should; empty when nothing is."""
    chained = {name: getattr(row, name) for name in names}
    chained["at"] = stamp(row.at)
    try:
        if mac(previous, chained) != row.mac:
            return "body"
    except NoKey:
        return "key"
    if row.body is not None:
        return "" if digest(row.body) == row.payload_sha256 else "payload"
    return "" if tombstones is None or any(stone.covers(row) for stone in tombstones) else "expired"

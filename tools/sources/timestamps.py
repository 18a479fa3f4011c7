"""Timestamps as they stand in logs and tables, read to UTC. Ranges that people write are in tools/timerange.py."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

# Below 1e8 (March 1973) a bare number is a counter or an id, not a time.
_EPOCH_UNITS = ((1e8, 1e11, 1_000_000), (1e11, 1e14, 1_000), (1e14, 1e17, 1))
_NANOSECONDS = (1e17, 7e18)
_NUMBER = re.compile(r"\d{9,19}(\.\d{1,9})?\Z")
# Hours from UTC of the names that logs write, PostgreSQL's foremost. Of those with two meanings the one in wider use.
ZONES = {
    "CET": 1, "CEST": 2, "MET": 1, "MEST": 2, "EET": 2, "EEST": 3, "WET": 0, "WEST": 1, "BST": 1, "MSK": 3,
    "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
    "JST": 9, "KST": 9, "HKT": 8, "SGT": 8, "IST": 5.5, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip
_ZONE = re.compile(rf"\s*(UTC|GMT|Z|{'|'.join(ZONES)})\Z|\s([+-]\d\d:?\d\d)\Z", re.IGNORECASE)
_FORMATS = ("%d/%b/%Y:%H:%M:%S %z", "%a %b %d %H:%M:%S.%f %Y", "%a %b %d %H:%M:%S %Y", "%a, %d %b %Y %H:%M:%S %z")


def to_us(moment: datetime) -> int:
    """Microseconds since 1970. The moment must be aware."""
    return (moment - EPOCH) // MICROSECOND


def from_us(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=int(microseconds))


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with Z, fractions only where there are some."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def iso_us(microseconds: int) -> str:
    return iso(from_us(microseconds))


def read_us(raw: object, zone: tzinfo = UTC) -> int | None:
    """Microseconds since 1970 of a value that claims to be a time; None if it is none. Naive times are in `zone`."""
    if isinstance(raw, str):
        return _text_us(raw.strip(), zone)
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        return _epoch_us(raw)
    return None


def read_time(raw: object) -> datetime | None:
    """The same as an aware datetime."""
    found = read_us(raw)
    return None if found is None else from_us(found)


def _text_us(text: str, zone: tzinfo) -> int | None:
    if _NUMBER.match(text):
        return _epoch_us(float(text) if "." in text else int(text))
    if len(text) < 10 or len(text) > 64:
        return None
    moment = _iso_format(text) or _other_format(text)
    if moment is None:
        return None
    try:
        return to_us(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    except OverflowError:
        return None


def _iso_format(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _other_format(text: str) -> datetime | None:
    if text[:4].isdigit():
        return _zoned(text.replace("/", "-", 2))
    for form in _FORMATS:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    return None


def _zoned(text: str) -> datetime | None:
    """ISO with a zone behind a blank, or a zone's name."""
    zone = _ZONE.search(text)
    if zone is None:
        return _iso_format(text)
    if zone[2]:
        return _iso_format(f"{text[: zone.start()]}{zone[2]}")
    moment = _iso_format(text[: zone.start()])
    hours = ZONES.get(zone[1].upper(), 0)
    return moment and moment.replace(tzinfo=timezone(timedelta(hours=hours)))


def _epoch_us(number: float) -> int | None:
    """Seconds, milli-, micro- or nanoseconds, told apart by size."""
    for low, high, factor in _EPOCH_UNITS:
        if low <= number < high:
            return round(number * factor)
    low, high = _NANOSECONDS
    return int(number) // 1_000 if low <= number < high else None

"""Ranges as people write them ("last 5 hours", "since 02:00"), resolved against as-of. Reads no clock and no source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tools.base import ToolError
from tools.sources.timestamps import iso, read_time

EXAMPLES = "'last 5 hours', '30m', 'yesterday', '02:00', or ISO 8601 such as 2026-03-01T02:00:00Z"
MAX_LENGTH = 100  # keeps the patterns below cheap on hostile text

_UNIT_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_UNIT = r"(?:s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?)"
_WORDS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
          "nine": 9, "ten": 10, "twelve": 12, "half": 0.5}  # fmt: skip
_AMOUNT = rf"(?:\d+(?:\.\d+)?|(?:{'|'.join(_WORDS)})\b)"
_PART = re.compile(rf"(?:({_AMOUNT})\s*(?:an?\s+)?|(?<![a-z]))({_UNIT})(?![a-z])")
_DURATION = re.compile(
    rf"(?:now\s*-|-|(?:in\s+)?(?:the\s+)?(?:last|past|previous)\s)?\s*"
    rf"((?:{_AMOUNT}?\s*(?:an?\s+)?{_UNIT}(?![a-z])(?:\s*(?:,|and)?\s*)?)+?)(?:\s+ago)?\Z"
)
_CLOCK = re.compile(r"(?:(today|yesterday)(?:\s+at)?\s+)?(\d{1,2}):(\d{2})(?::(\d{2}))?\s*(?:utc|z)?\Z")
_BETWEEN = re.compile(r"\A(?:between|from)\s+(.+?)\s+and\s+(.+)\Z")
_SPLIT = re.compile(r"\s+(?:to|until|till|-|–|—)\s+|\s*[/–—]\s*|(?<=\d)-(?=\d{1,2}:\d)")
_LEAD = re.compile(r"\A(?:since|from|after|between)\s+")
_TAIL = re.compile(r"\A(?:until|till|to|before)\s+")


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Half-open: since ≤ t < until, both aware UTC."""

    since: datetime
    until: datetime

    def __str__(self) -> str:
        return f"{iso(self.since)} – {iso(self.until)}"

    @property
    def seconds(self) -> float:
        return (self.until - self.since).total_seconds()

    def before(self) -> TimeRange:
        """The range of the same length that ends where this one begins."""
        return TimeRange(self.since - (self.until - self.since), self.since)


def resolve(since: str, until: str, as_of: datetime, oldest: datetime | None) -> TimeRange:
    """The range meant. Empty `since` is the oldest row, or the hour before the end where nobody knows it;
    empty `until` is as-of, and what lies beyond as-of is cut off.

    The second of as-of belongs to the range, or the newest row would fall out of it. Raises ToolError in words.
    """
    since, until = _split(since.strip().lower(), until.strip().lower())
    end = _end_of(as_of)
    last = _moment(until, as_of, "until") if until else as_of
    start = _moment(since, as_of, "since") if since else _start_of_data(oldest, min(last, as_of))
    if start >= end:
        raise ToolError(
            f"The range starts at {iso(start)}, after as-of {iso(as_of)}: nothing is known of that time. "
            f"Ask for a time before it, for example {EXAMPLES}."
        )
    stop = _moment(until, as_of, "until") if until else _implied_end(since, as_of, end)
    if stop <= start and _CLOCK.fullmatch(until):
        start, stop = _across_midnight(start, stop, since)
    stop = end if stop >= as_of.replace(microsecond=0) else stop
    if start >= stop:
        raise ToolError(
            f"The range is empty or reversed: since {iso(start)} is not before until {iso(stop)}. "
            "Swap them, or widen it."
        )
    return TimeRange(start, stop)


def _split(since: str, until: str) -> tuple[str, str]:
    """A whole range written into `since` ("02:00 to 03:00") is taken apart."""
    for field, text in (("since", since), ("until", until)):
        if len(text) > MAX_LENGTH:
            raise ToolError(f"{field} has {len(text)} characters; a time has at most {MAX_LENGTH}. Valid: {EXAMPLES}.")
    if not until and (both := _BETWEEN.match(since)):
        return both[1], both[2]
    since, until = _LEAD.sub("", since), _TAIL.sub("", until)
    if until or not since:
        return since, until
    parts = _SPLIT.split(since)
    return (parts[0], _TAIL.sub("", parts[1])) if len(parts) == 2 and all(parts) else (since, until)


def _end_of(as_of: datetime) -> datetime:
    return as_of.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)


def _start_of_data(oldest: datetime | None, last: datetime) -> datetime:
    if oldest is not None and oldest <= last:
        return oldest.astimezone(UTC)
    return last.astimezone(UTC) - timedelta(hours=1)


def _implied_end(since: str, as_of: datetime, end: datetime) -> datetime:
    """ "yesterday" alone is that day; everything else runs up to as-of."""
    return _midnight(as_of) if since == "yesterday" else end


def _moment(text: str, as_of: datetime, field: str) -> datetime:
    if text == "now":
        return as_of.astimezone(UTC)
    if text in ("today", "yesterday"):
        return _midnight(as_of) - timedelta(days=text == "yesterday")
    if match := _DURATION.fullmatch(text):
        return _ago(match[1], as_of, text)
    if match := _CLOCK.fullmatch(text):
        return _clock(match, as_of, text)
    found = read_time(text.upper())
    if found is None:
        raise ToolError(f"{field}={text!r} is not a time. Valid: {EXAMPLES}.")
    return found


def _across_midnight(start: datetime, stop: datetime, since: str) -> tuple[datetime, datetime]:
    """Clock times in the wrong order: "22:00 to 03:00" began the evening before, "10:00 to 23:00" is not over yet."""
    if _CLOCK.fullmatch(since) and start.time() > stop.time():
        return start - timedelta(days=1), stop
    return start, stop + timedelta(days=1)


def _midnight(as_of: datetime) -> datetime:
    return as_of.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _ago(amounts: str, as_of: datetime, text: str) -> datetime:
    seconds = sum(
        (float(_WORDS.get(amount, amount or 1))) * _UNIT_S[unit[0]] for amount, unit in _PART.findall(amounts)
    )
    try:
        return as_of.astimezone(UTC) - timedelta(seconds=seconds)
    except OverflowError:
        raise ToolError(f"{text!r} reaches back before the year 1. Ask for less.") from None


def _clock(match: re.Match[str], as_of: datetime, text: str) -> datetime:
    """A time of day without a date is the latest such time that is not after as-of."""
    hour, minute, second = int(match[2]), int(match[3]), int(match[4] or 0)
    if hour > 23 or minute > 59 or second > 59:
        raise ToolError(f"{text!r} is not a time of day. Valid: 00:00 to 23:59.")
    moment = _midnight(as_of) + timedelta(hours=hour, minutes=minute, seconds=second)
    back = match[1] == "yesterday" or (match[1] is None and moment > as_of)
    return moment - timedelta(days=back)

"""How times, durations, sizes and money are written for people; pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.utils import timezone
from django.utils.dateparse import parse_datetime

SHARES = ("rate", "ratio", "_share", "used_pct")  # how the names of such series end


def moment(value: str | datetime | None) -> datetime | None:
    """An aware datetime from ISO 8601 or a datetime; None when it is neither (a planner wrote it)."""
    if isinstance(value, datetime):
        return value
    try:
        parsed = parse_datetime(value) if value else None
    except ValueError:
        return None
    if parsed is not None and timezone.is_naive(parsed):
        return timezone.make_aware(parsed, timezone.get_default_timezone())
    return parsed


def clock(value: str | datetime | None, reference: datetime | None = None, *, seconds: bool = False) -> str:
    """`02:14`, with the date before it when the reference lies on another day; unreadable text stays as it is."""
    at = moment(value)
    if at is None:
        return str(value or "")
    local = timezone.localtime(at)
    words = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
    if reference is not None and timezone.localtime(reference).date() != local.date():
        return f"{local:%Y-%m-%d} {words}"
    return words


def zone_name(at: datetime) -> str:
    """`UTC` or `UTC+02:00`: the zone in which the pages and reports speak, at that time."""
    offset = timezone.localtime(at).strftime("%z")
    return "UTC" if offset == "+0000" else f"UTC{offset[:3]}:{offset[3:]}"


def duration(seconds: float) -> str:
    """`40 ms`, `0.4 s`, `12 s`, `2 min 10 s`, `3 h 5 min`, `4 d 2 h`."""
    if seconds < 0.1:
        return f"{max(seconds, 0) * 1_000:.0f} ms"
    if seconds < 1:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, size, lower, lower_size in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // lower_size
            return f"{whole // size} {unit} {rest} {lower}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"


def time_left(seconds: float) -> str:
    """`42 min`, `3 h 5 min`; seconds only below one minute, for nobody counts them before."""
    return duration(seconds if seconds < 60 else seconds // 60 * 60)


def ago(at: datetime | None, now: datetime) -> str:
    return f"{duration((now - at).total_seconds())} old" if at else "age unknown"


def money(micro_usd: int, known: bool = True) -> str:
    """`$0.00`, `$0.0042`, `$0.12 or more`; a price that is not known is never said to be nothing."""
    if not (known or micro_usd):
        return "price not known"
    usd = micro_usd / 1_000_000
    words = f"${usd:.4f}" if 0 < usd < 0.01 else f"${usd:,.2f}"
    return words if known else f"{words} or more"


def size(n_bytes: int) -> str:
    """`812 B`, `14.2 kB`, `1.1 MB`."""
    if n_bytes < 1_000:
        return f"{n_bytes} B"
    return f"{n_bytes / 1_000:.1f} kB" if n_bytes < 1_000_000 else f"{n_bytes / 1_000_000:.1f} MB"


def number(value: float | int | None) -> str:
    """At most four significant digits, thousands apart: `1,912`, `0.1834`, `5.02`."""
    if value is None:
        return ""
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"


def is_share(name: str, values: Iterable[float]) -> bool:
    """Whether a series holds parts of one, `error_rate` 0.0034: people say them as per cent."""
    return name.lower().endswith(SHARES) and all(abs(value) <= 1 for value in values)


def plural(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"

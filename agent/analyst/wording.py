"""How values, times and changes are said in a sentence. Decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import re2

from agent.analyst.casefile import ChangeRecord
from agent.analyst.moved import Moved
from tools.analysis.anomalies import Normal

_UNITS = (
    (r"_ms$|\(ms\)$|_milliseconds$", "ms"),
    (r"_seconds$|_s$|\(s\)$", "s"),
    (r"_mb$", "MB"),
    (r"_mib$|\(mi\)$", "MiB"),
    (r"_gib$", "GiB"),
    (r"_bytes$", "bytes"),
    (r"_pct$|percent|\(%\)$", "%"),
)
_SHARE = re2.compile(r"(?i)rate$|ratio$|_share$|used_pct$")
MAX_ANSWER_WORDS = 25


def clock(at: datetime) -> str:
    return f"{at:%H:%M}"


def iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def unit_of(metric: str) -> str:
    return next((unit for pattern, unit in _UNITS if re2.search(f"(?i){pattern}", metric)), "")


def amount(metric: str, value: float) -> str:
    """A value with its unit: shares as per cent, the rest in three or four digits."""
    if _SHARE.search(metric) and 0 <= abs(value) <= 1:
        return f"{value * 100:.3g} %"
    unit = unit_of(metric)
    digits = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{digits} {unit}".rstrip()


def normal_words(metric: str, normal: Normal) -> str:
    """ "normal 14–22" for a range, "normal 0.2 %" for one value."""
    low, high = amount(metric, max(normal.low, 0.0) if normal.median >= 0 else normal.low), amount(metric, normal.high)
    middle = amount(metric, normal.median)
    return f"normal {middle}" if low == high else f"normal {low.split(' ')[0]}–{high}"


def label(moved: Moved) -> str:
    return f"{moved.track.name} of {moved.service}" if moved.service else moved.track.name


def names(services: Sequence[str], most: int = 3) -> str:
    """ "a", "a and b", "a, b and 2 more"."""
    shown = list(services[:most])
    rest = len(services) - len(shown)
    if rest:
        return f"{', '.join(shown)} and {rest} more"
    return " and ".join(shown) if len(shown) < 3 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def change_words(change: ChangeRecord, deploy: ChangeRecord | None = None, known: str = "") -> str:
    """ "release 4.18.0 of orders-api", "commit 1a2b3c4", "flag beta_banner". A service that is `known` is left out."""
    carried = deploy or (change if change.kind == "deploy" else None)
    if carried is not None:
        whose = f" of {carried.service}" if carried.service and carried.service != known else ""
        return f"release {carried.version or carried.commit[:7]}{whose}"
    if change.kind == "flag":
        return change.title
    return f"commit {change.commit[:7] or change.id[:7]}"


def capital(text: str) -> str:
    """The sentence with a capital, unless it begins with a name that has none."""
    return text[:1].upper() + text[1:] if text.split(" ", 1)[0] in ("release", "commit", "flag") else text


def shorten(text: str, most: int) -> str:
    """The text on one line, cut at a word."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most].rsplit(' ', 1)[0]} …"


def answer(*parts: str) -> str:
    """As many of the parts, put end to end, as stay within the words of an answer; the first always stands."""
    said = parts[0]
    for part in parts[1:]:
        if len(f"{said}{part}".split()) <= MAX_ANSWER_WORDS:
            said += part
    return " ".join(said.split()[:MAX_ANSWER_WORDS]).rstrip(",;:. ") + "."

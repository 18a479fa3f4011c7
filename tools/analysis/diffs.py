"""A diff taken apart: files, removed and added lines, and the settings they carry. What they can do is in effects.py.

Reads unified diffs and looser ones (only `@@` headers), as change records often hold them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import re2

_COMMENT = re2.compile(r"^\s*(//|#(\s|!|$)|\*|/\*|--\s|;;|<!--|\"\"\")")
_PAIR = re2.compile(
    r"([A-Za-z_][\w.\-/]*)[\"']?\s*(?::=|=>|[:=])\s*(?:[\w.]+\()?[\"']?"
    r"(-?\d[\d_]*(?:\.\d+)?)(?:[\"')]*\s*\*\s*(?:time\.)?([A-Za-z]+)|\s?(%|[A-Za-z]{1,7}))?"
)
_WORD_PAIR = re2.compile(r"([A-Za-z_][\w.\-/]*)[\"']?\s*(?::=|[:=])\s*[\"']?([A-Za-z][\w.\-/]*)[\"']?\s*[,;]?\s*$")
_TYPED = re2.compile(r"([A-Za-z_]\w*)\s*:\s*[A-Za-z_][\w\[\], .|]*\s*=\s*")

_UNIT = {
    "ms": 1e-3, "millisecond": 1e-3, "milliseconds": 1e-3, "s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1,
    "m": 60, "min": 60, "mins": 60, "minute": 60, "minutes": 60, "h": 3600, "hour": 3600, "hours": 3600, "d": 86400,
    "day": 86400, "days": 86400, "k": 1e3, "ki": 1024, "kb": 1e3, "kib": 1024, "mb": 1e6, "mi": 1 << 20, "mib": 1 << 20,
    "gb": 1e9, "g": 1e9, "gi": 1 << 30, "gib": 1 << 30, "us": 1e-6, "microsecond": 1e-6, "microseconds": 1e-6,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Patch:
    """The lines of a diff without their marks, in order; comments apart. `raw` keeps the line as it stands."""

    removed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    removed_comments: tuple[str, ...] = ()
    added_comments: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.removed or self.added)


@dataclass(frozen=True, slots=True)
class Setting:
    """One `name = number` of a line; the amount is in base units (seconds, bytes) where the unit is known."""

    name: str
    text: str  # the number and unit as written
    amount: float
    line: str  # the whole line without its mark


@lru_cache(maxsize=512)
def parse(diff: str) -> Patch:
    removed, added, context = [], [], []
    for line in diff.splitlines():
        if line.startswith(("---", "+++")) and (len(line) == 3 or line[3] in " \t"):
            continue
        if line.startswith("-"):
            removed.append(line[1:])
        elif line.startswith("+"):
            added.append(line[1:])
        else:
            context.append(line)
    return Patch(
        tuple(line for line in removed if line.strip() and not is_comment(line)),
        tuple(line for line in added if line.strip() and not is_comment(line)),
        tuple(context),
        tuple(line for line in removed if is_comment(line)),
        tuple(line for line in added if is_comment(line)),
    )


def is_comment(line: str) -> bool:
    return _COMMENT.search(line) is not None


def settings(lines: tuple[str, ...]) -> dict[str, Setting]:
    """Every number that a line gives a name to, by name; the first one counts where a name comes twice."""
    found: dict[str, Setting] = {}
    for line in lines:
        for name, number, product_unit, unit in _PAIR.findall(_TYPED.sub(r"\1 = ", line)):
            suffix = (product_unit or unit or "").lower()
            amount = float(number.replace("_", "")) * _UNIT.get(suffix, 1)
            found.setdefault(name, Setting(name, _as_said(number, product_unit, unit), amount, line))
    return found


def _as_said(number: str, product_unit: str, unit: str) -> str:
    """ "15 minutes" of `15 * time.Minute`, "15m" of `15m`, "15" where what follows is no unit."""
    if product_unit:
        return f"{number} {product_unit.lower().removesuffix('s')}s"
    return f"{number}{unit}" if unit.lower() in _UNIT or unit == "%" else number


def words_set(lines: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """Every `name = word` (level: debug, enabled: false): the word and its line, by name."""
    found: dict[str, tuple[str, str]] = {}
    for line in lines:
        if match := _WORD_PAIR.search(line):
            found.setdefault(match[1], (match[2], line))
    return found

"""How a source is written down and what it answered when it was looked at. Opens nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Kind = Literal["logs", "metrics", "traces", "changes"]
KINDS: tuple[Kind, ...] = ("logs", "metrics", "traces", "changes")


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """A source as the operator wrote it; JSON-able, stored on the run. An empty kind means all that the URL holds."""

    name: str
    url: str
    env: str = ""
    kind: Kind | Literal[""] = ""


@dataclass(frozen=True, slots=True)
class SourceState:
    """What a source answered when it was looked at: for `doctor`, the run's page and the planner."""

    name: str
    kind: Kind
    rows: int | None
    oldest: datetime | None
    newest: datetime | None
    services: Sequence[str]
    problem: str = ""  # in words; empty when it answers
    skipped: int = 0  # malformed rows
    notes: Sequence[str] = ()  # files that were not read, and why


def problem_of(rows: int, notes: Sequence[str], skipped: int, missing: str, files: Sequence[str]) -> str:
    """Why a source cannot be used: nothing in it could be read. A source that is merely empty has no problem."""
    if rows:
        return ""
    where = f"{', '.join(files[:3])}: " if files else ""
    counted = "1 row" if skipped == 1 else f"{skipped:,} rows"
    return "; ".join(notes) or (f"{where}{counted}, none with {missing}" if skipped else "")

"""Where logs, metrics, traces and changes are read from: named, set by the operator, opened by URL.

A source is written as a URL (`file:///var/log/shop`, later `loki+https://…`). A folder is one source for everything at
once; a single `*.log` file is a source of logs only. Back ends live one to a file under logs/, metrics/, traces/ and
changes/ and know nothing of each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

Kind = str  # "logs" | "metrics" | "traces" | "changes"


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """A source as the operator wrote it; JSON-able, stored on the run."""

    name: str
    url: str
    env: str = ""


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


class SourceSet:
    """The sources of one run, opened on first use and kept for the life of the process."""

    def __init__(self, specs: Iterable[SourceSpec]):
        self.specs = list(specs)

"""What a log back end is asked and what it answers. Each back end beside this file gives the same answer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

from tools.sources.logs.entry import Entry
from tools.sources.logs.matching import Pattern
from tools.sources.spec import SourceState


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Half-open in microseconds. `level` is the least rank, -1 for any; an empty service is every service."""

    pattern: Pattern | None
    service: str
    level: int
    since_us: int
    until_us: int
    bucket_us: int
    limit: int
    count_before: bool = True  # also count the range of equal length that ends where this one starts

    @property
    def span_us(self) -> int:
        """How far before the range is counted too."""
        return self.until_us - self.since_us if self.count_before else 0


@dataclass(slots=True)
class TemplateCount:
    """Lines of one template; the example is the first of them."""

    count: int
    first_us: int
    last_us: int
    service: str
    example: str

    def add(self, other: TemplateCount) -> None:
        self.count += other.count
        self.example = other.example if other.first_us < self.first_us else self.example
        self.first_us, self.last_us = min(self.first_us, other.first_us), max(self.last_us, other.last_us)


@dataclass(slots=True)
class LogHits:
    """Matches, counted; `newest` holds at most `limit` entries, newest first."""

    total: int = 0
    searched: int = 0
    is_cut: bool = False  # the range begins before the oldest line that was read of a file too large
    before: int = 0  # matches in the range of equal length that ends where this one starts
    buckets: Counter[int] = field(default_factory=Counter)
    services: Counter[str] = field(default_factory=Counter)
    levels: Counter[str] = field(default_factory=Counter)
    templates: dict[tuple[str, str], TemplateCount] = field(default_factory=dict)  # by service and template
    newest: list[Entry] = field(default_factory=list)
    first_us: int | None = None
    last_us: int | None = None

    def add(self, other: LogHits, limit: int) -> None:
        """Takes in the answer of another file or source to the same query."""
        self.total += other.total
        self.searched += other.searched
        self.before += other.before
        self.is_cut |= other.is_cut
        self.buckets.update(other.buckets)
        self.services.update(other.services)
        self.levels.update(other.levels)
        for key, found in other.templates.items():
            if key in self.templates:
                self.templates[key].add(found)
            else:
                self.templates[key] = found
        self.newest = sorted(self.newest + other.newest, key=lambda entry: -entry.at_us)[:limit]
        self.first_us = min((at for at in (self.first_us, other.first_us) if at is not None), default=None)
        self.last_us = max((at for at in (self.last_us, other.last_us) if at is not None), default=None)


class LogSource(Protocol):
    name: str

    def state(self) -> SourceState: ...

    def search(self, query: LogQuery) -> LogHits: ...

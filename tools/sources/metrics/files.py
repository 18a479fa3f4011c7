"""Metrics in the files of one folder: which are read, and how they join. Reading a table is in tables.py."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TypeVar

import numpy as np

from tools.base import ToolError
from tools.sources.confined import Fingerprint, Refused, Root
from tools.sources.metrics.query import EVERYTHING, MetricQuery, Series
from tools.sources.metrics.tables import MAX_SERIES, Outline, read_outline, read_series
from tools.sources.spec import SourceState, problem_of
from tools.sources.timestamps import from_us

T = TypeVar("T")
NAME = re.compile(r"metrics.*\.(?:csv|tsv|parquet)\Z", re.IGNORECASE)
NARROW = 3  # questions by name that read only what they ask for; with more to come, the whole table is cheaper


@dataclass
class KeptTable:
    """One file at one fingerprint, and what was read of it so far."""

    root: Root
    file: str
    zone: str = "UTC"
    asked: int = 0

    @cached_property
    def outline(self) -> Outline:
        return read_outline(self.root, self.file, self.zone)

    def checked(self) -> Outline:
        """Raises Refused for a table that cannot be read whole."""
        if self.outline.series > MAX_SERIES:
            raise Refused(f"{self.file}: {self.outline.series:,} series, more than the {MAX_SERIES:,} that are read")
        return self.outline

    @cached_property
    def whole(self) -> list[Series]:
        return read_series(self.root, self.file, zone=self.zone)

    def series(self, query: MetricQuery) -> list[Series]:
        """Those that the query wants, in its range."""
        self.asked += not query.is_for_all
        is_often_asked = self.asked > NARROW and self.outline.series <= MAX_SERIES
        if query.is_for_all or is_often_asked or "whole" in vars(self):
            found = [one for one in self.whole if query.wants(one.name, one.service)]
        else:
            found = self._narrow(query) or self._narrow(query.at_any_time())
        return [one.between(query.since_us, query.until_us) for one in found]

    def _narrow(self, query: MetricQuery) -> list[Series]:
        return read_series(self.root, self.file, query, self.zone)


@lru_cache(maxsize=16)
def _kept(root: str, file: str, _seen: Fingerprint, zone: str) -> KeptTable:
    """Kept by fingerprint: a file that grew is read again."""
    return KeptTable(Root(root), file, zone)


@dataclass(slots=True)
class FileMetrics:
    """Tables of one folder as one source; a series that two files hold is joined."""

    name: str
    root: Root
    files: list[str]
    zone: str = "UTC"  # of times that name none
    notes: list[str] = field(default_factory=list)

    def _each(self, read: Callable[[KeptTable], T]) -> list[T]:
        """What is read of each table; those that cannot be read are noted."""
        found: list[T] = []
        self.notes = []
        for file in self.files:
            try:
                found.append(read(_kept(str(self.root.path), file, self.root.fingerprint(file), self.zone)))
            except Refused as refusal:
                self.notes.append(str(refusal))
        return found

    def names(self) -> list[str]:
        return sorted({name for outline in self._each(KeptTable.checked) for name in outline.names})

    def series(self, query: MetricQuery = EVERYTHING) -> list[Series]:
        """Sorted by id, so that the same question gets the same answer."""
        if query.expression:
            raise ToolError(f"{self.name} holds tables in files, which know no PromQL: ask by name and service.")
        joined: dict[str, list[Series]] = {}
        for found in self._each(lambda table: table.series(query)):
            for series in found:
                joined.setdefault(series.id, []).append(series)
        return [_join(joined[key]) for key in sorted(joined)]

    def state(self) -> SourceState:
        outlines = self._each(KeptTable.checked)
        filled = [one for one in outlines if one.rows]
        skipped = sum(one.skipped for one in outlines)
        return SourceState(
            name=self.name,
            kind="metrics",
            rows=sum(one.rows for one in outlines),
            oldest=min((from_us(one.oldest_us) for one in filled), default=None),
            newest=max((from_us(one.newest_us) for one in filled), default=None),
            services=sorted({service for one in outlines for service in one.services}),
            problem=problem_of(len(filled), self.notes, skipped, "a time and a number", self.files),
            skipped=skipped,
            notes=tuple(self.notes),
        )


def _join(parts: list[Series]) -> Series:
    if len(parts) == 1:
        return parts[0]
    times = np.concatenate([part.times for part in parts])
    values = np.concatenate([part.values for part in parts])
    order = np.argsort(times, kind="stable")
    first = parts[0]
    return Series(first.service, first.name, times[order], values[order], first.labels, first.unit)

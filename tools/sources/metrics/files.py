"""Metrics in the files of one folder: which are read, and how they join. Reading a table is in tables.py."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from tools.base import ToolError
from tools.sources.confined import Fingerprint, Refused, Root
from tools.sources.metrics.query import EVERYTHING, MetricQuery, Series
from tools.sources.metrics.tables import Table, read_table
from tools.sources.spec import SourceState, problem_of
from tools.sources.timestamps import from_us

NAME = re.compile(r"metrics.*\.(?:csv|tsv|parquet)\Z", re.IGNORECASE)


@lru_cache(maxsize=16)
def _read(root: str, file: str, seen: Fingerprint) -> Table:
    """Kept by fingerprint: a file that grew is read again."""
    return read_table(Root(root), file)


@dataclass(slots=True)
class FileMetrics:
    """Tables of one folder as one source; a series that two files hold is joined."""

    name: str
    root: Root
    files: list[str]
    notes: list[str] = field(default_factory=list)

    def tables(self) -> list[Table]:
        found, self.notes = [], []
        for file in self.files:
            try:
                found.append(_read(str(self.root.path), file, self.root.fingerprint(file)))
            except Refused as refusal:
                self.notes.append(str(refusal))
        return found

    def names(self) -> list[str]:
        return sorted({one.name for table in self.tables() for one in table.series})

    def series(self, query: MetricQuery = EVERYTHING) -> list[Series]:
        """Sorted by id, so that the same question gets the same answer."""
        if query.expression:
            raise ToolError(f"{self.name} holds tables in files, which know no PromQL: ask by name and service.")
        joined: dict[str, list[Series]] = {}
        for table in self.tables():
            for series in table.series:
                if query.wants(series.name, series.service):
                    joined.setdefault(series.id, []).append(series)
        return [_join(joined[key]).between(query.since_us, query.until_us) for key in sorted(joined)]

    def state(self) -> SourceState:
        tables = self.tables()
        series = [one for table in tables for one in table.series]
        skipped = sum(table.skipped for table in tables)
        return SourceState(
            name=self.name,
            kind="metrics",
            rows=sum(table.rows for table in tables),
            oldest=min((from_us(one.times[0]) for one in series), default=None),
            newest=max((from_us(one.times[-1]) for one in series), default=None),
            services=sorted({one.service for one in series if one.service}),
            problem=problem_of(len(series), self.notes, skipped, "a time and a number", self.files),
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

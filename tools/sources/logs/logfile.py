"""One indexed log file and its answer to a query. Which files there are and when they are read is decided elsewhere."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.sources.logs import levels
from tools.sources.logs.index import LogIndex
from tools.sources.logs.masking import kinds_of, template_of
from tools.sources.logs.matching import matching_rows
from tools.sources.logs.search import LogHits, LogQuery, TemplateCount

NOT_YET = -1
MAX_KINDS = 1_000


class LogFile:
    """Answers from the columns; the text is read only of entries that match."""

    def __init__(self, index: LogIndex):
        self.index = index
        # Template by row, filled as rows are asked for: masking is the dearest part of a search.
        self._codes = np.full(len(index.times), NOT_YET, np.int32)
        self._templates: dict[str, int] = {}

    @property
    def rows(self) -> int | None:
        return len(self.index.times)

    @property
    def skipped(self) -> int:
        return self.index.skipped

    @property
    def oldest_us(self) -> int | None:
        return int(self.index.times.min()) if len(self.index.times) else None

    @property
    def newest_us(self) -> int | None:
        return int(self.index.times.max()) if len(self.index.times) else None

    def services(self) -> set[str]:
        return set(self.index.names) - {""}

    def search(self, query: LogQuery) -> LogHits:
        index, span = self.index, query.span_us
        here = (index.times >= query.since_us) & (index.times < query.until_us)
        earlier = (index.times >= query.since_us - span) & (index.times < query.since_us)
        rows = matching_rows(index, np.flatnonzero(self._asked(query) & (here | earlier)), query.pattern)
        found = rows[here[rows]]
        hits = self._count(found, query) if len(found) else LogHits()
        hits.searched = int(here.sum())
        hits.before = len(rows) - len(found)
        return hits

    def _asked(self, query: LogQuery) -> NDArray[np.bool_]:
        """Entries of the service and level that were asked for."""
        index = self.index
        asked = index.levels >= query.level if query.level >= 0 else np.ones(len(index.times), np.bool_)
        if query.service:
            code = index.names.index(query.service) if query.service in index.names else -1
            asked = asked & (index.services == code)
        return asked

    def _count(self, rows: NDArray[np.int64], query: LogQuery) -> LogHits:
        index, times = self.index, self.index.times[rows]
        # Stable by time, then by place in the file: the later line is the newer one.
        newest = rows[np.argsort(times, kind="stable")][::-1][: query.limit]
        return LogHits(
            total=len(rows),
            buckets=Counter(dict(_counts(times // query.bucket_us * query.bucket_us))),
            services=Counter({index.names[code]: count for code, count in _counts(index.services[rows])}),
            levels=Counter({levels.name(rank): count for rank, count in _counts(index.levels[rows])}),
            templates=self._count_templates(rows),
            newest=[index.entry(row) for row in newest.tolist()],
            first_us=int(times.min()),
            last_us=int(times.max()),
        )

    def _count_templates(self, rows: NDArray[np.int64]) -> dict[tuple[str, str], TemplateCount]:
        """By service and template; of very many kinds only the most frequent."""
        index = self.index
        self._mask(rows[self._codes[rows] == NOT_YET])
        templates = list(self._templates)
        keys = index.services[rows].astype(np.int64) * len(templates) + self._codes[rows]
        kinds, firsts, inverse, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        earliest, latest = _extremes(index.times[rows], inverse, len(kinds))
        found = {}
        for at in np.argsort(-counts, kind="stable")[:MAX_KINDS].tolist():
            service, template = index.names[kinds[at] // len(templates)], templates[kinds[at] % len(templates)]
            example = index.message(int(rows[firsts[at]]))
            count = TemplateCount(int(counts[at]), int(earliest[at]), int(latest[at]), service, example)
            found[service, template] = count
        return found

    def _mask(self, rows: NDArray[np.int64]) -> None:
        """Messages of one kind are masked once."""
        messages = [self.index.message(row) for row in rows.tolist()]
        kinds = kinds_of(messages)
        texts = [template_of(messages[first]) for first in kinds.firsts]
        codes = [self._templates.setdefault(text, len(self._templates)) for text in texts]
        self._codes[rows] = np.array(codes, np.int32)[kinds.of] if codes else NOT_YET


def _counts(values: NDArray[Any]) -> list[tuple[int, int]]:
    found, counts = np.unique(values, return_counts=True)
    return list(zip(found.tolist(), counts.tolist(), strict=True))


def _extremes(
    times: NDArray[np.int64], kinds: NDArray[np.intp], many: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last time of each kind."""
    earliest, latest = np.full(many, times.max()), np.full(many, times.min())
    np.minimum.at(earliest, kinds, times)
    np.maximum.at(latest, kinds, times)
    return earliest, latest

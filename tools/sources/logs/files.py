"""Logs in files: plain, gzip or zstd; JSON lines or text. Read once and kept while the file stays as it is."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tools.sources.confined import Fingerprint, Refused, Root
from tools.sources.logs import levels
from tools.sources.logs.index import LogIndex, build
from tools.sources.logs.masking import template_of
from tools.sources.logs.matching import matching_rows
from tools.sources.logs.search import LogHits, LogQuery, TemplateCount
from tools.sources.spec import SourceState, problem_of
from tools.sources.timestamps import from_us

NAME = re.compile(r".+\.(?:log|jsonl|ndjson)(?:[.-]\d{1,10})?(?:\.gz|\.zst)?\Z", re.IGNORECASE)
_SUFFIXES = re.compile(r"\.(?:log|jsonl|ndjson)\b.*\Z", re.IGNORECASE)
_SAYS_NOTHING = ("log", "logs", "events", "output")  # a stem that names no service


class LogFile:
    """One file, indexed."""

    def __init__(self, index: LogIndex):
        self.index = index
        # By row, filled as rows are asked for: masking is the dearest part of a search.
        self.templates: dict[int, str] = {}

    def search(self, query: LogQuery) -> LogHits:
        index = self.index
        span = query.until_us - query.since_us
        asked = self._asked(query)
        here = (index.times >= query.since_us) & (index.times < query.until_us)
        earlier = (index.times >= query.since_us - span) & (index.times < query.since_us)
        rows = matching_rows(index, np.flatnonzero(asked & (here | earlier)), query.pattern)
        is_here = here[rows]
        hits = self._count(rows[is_here], query)
        hits.searched = int(here.sum())
        hits.before = len(rows) - len(rows[is_here])
        hits.is_cut = bool(index.left_out) and query.since_us < int(index.times.min(initial=query.until_us))
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
        index, hits = self.index, LogHits(total=len(rows))
        if not len(rows):
            return hits
        times = index.times[rows]
        hits.first_us, hits.last_us = int(times.min()), int(times.max())
        buckets, counts = np.unique(times // query.bucket_us * query.bucket_us, return_counts=True)
        hits.buckets = Counter(dict(zip(buckets.tolist(), counts.tolist(), strict=True)))
        codes, counts = np.unique(index.services[rows], return_counts=True)
        hits.services = Counter(
            {index.names[code]: count for code, count in zip(codes.tolist(), counts.tolist(), strict=True)}
        )
        ranks, counts = np.unique(index.levels[rows], return_counts=True)
        hits.levels = Counter(
            {levels.name(rank): count for rank, count in zip(ranks.tolist(), counts.tolist(), strict=True)}
        )
        # Stable by time, then by place in the file: the later line is the newer one.
        newest = rows[np.argsort(times, kind="stable")][::-1][: query.limit]
        hits.newest = [index.entry(row) for row in newest.tolist()]
        self._add_templates(rows, hits)
        return hits

    def _add_templates(self, rows: NDArray[np.int64], hits: LogHits) -> None:
        index, known = self.index, self.templates
        for row in rows.tolist():
            template = known.get(row)
            if template is None:
                template = known[row] = template_of(index.body(row).message)
            at_us, service = int(index.times[row]), index.names[index.services[row]]
            if (seen := hits.templates.get((service, template))) is not None:
                seen.add(TemplateCount(1, at_us, at_us, service, ""))
            else:
                hits.templates[service, template] = TemplateCount(1, at_us, at_us, service, index.body(row).message)


@lru_cache(maxsize=64)
def _read(root: str, name: str, seen: Fingerprint) -> LogFile:
    """Kept by fingerprint: a file that grew is read again."""
    modified = datetime.fromtimestamp(seen.modified_ns / 1e9, UTC)
    return LogFile(build(name, Root(root).content(name), default_service(name), modified))


def default_service(name: str) -> str:
    """The file's stem, for lines that name no service; "" where the stem names none either."""
    stem = _SUFFIXES.sub("", name.rsplit("/", 1)[-1])
    return "" if stem.lower() in _SAYS_NOTHING else stem


@dataclass(slots=True)
class FileLogs:
    """Several files as one source; rotated and compressed neighbours are simply more of them."""

    name: str
    root: Root
    files: list[str]
    notes: list[str] = field(default_factory=list)

    def opened(self) -> list[LogFile]:
        """The files that can be read; why another cannot is kept in `notes`."""
        found, self.notes = [], []
        for file in self.files:
            try:
                log = _read(str(self.root.path), file, self.root.fingerprint(file))
            except Refused as refusal:
                self.notes.append(str(refusal))
                continue
            if log.index.left_out:
                self.notes.append(f"{file}: the oldest {log.index.left_out:,} bytes were not read")
            found.append(log)
        return found

    def search(self, query: LogQuery) -> LogHits:
        hits = LogHits()
        for log in self.opened():
            hits.add(log.search(query), query.limit)
        return hits

    def state(self) -> SourceState:
        indexes = [log.index for log in self.opened()]
        filled = [index for index in indexes if len(index.times)]
        skipped = sum(index.skipped for index in indexes)
        return SourceState(
            name=self.name,
            kind="logs",
            rows=sum(len(index.times) for index in indexes),
            oldest=min((from_us(index.times.min()) for index in filled), default=None),
            newest=max((from_us(index.times.max()) for index in filled), default=None),
            services=sorted({name for index in filled for name in index.names if name}),
            problem=problem_of(len(filled), self.notes, skipped, "a time at the start"),
            skipped=skipped,
            notes=tuple(self.notes),
        )

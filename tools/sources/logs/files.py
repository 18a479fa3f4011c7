"""Logs in files: plain, gzip or zstd; JSON lines or text. Read once and kept while the file stays as it is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

from tools.sources.confined import Fingerprint, Refused, Root
from tools.sources.logs.index import build
from tools.sources.logs.logfile import LogFile
from tools.sources.logs.search import LogHits, LogQuery
from tools.sources.spec import SourceState, problem_of
from tools.sources.timestamps import from_us

NAME = re.compile(r".+\.(?:log|jsonl|ndjson)(?:[.-]\d{1,10})?(?:\.gz|\.zst)?\Z", re.IGNORECASE)
_SUFFIXES = re.compile(r"\.(?:log|jsonl|ndjson)\b.*\Z", re.IGNORECASE)
_SAYS_NOTHING = ("log", "logs", "events", "output")  # a stem that names no service


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
            problem=problem_of(len(filled), self.notes, skipped, "a time at the start", self.files),
            skipped=skipped,
            notes=tuple(self.notes),
        )

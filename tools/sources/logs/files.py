"""Logs in files: plain, gzip or zstd; JSON lines or text. Read once and kept while the file stays as it is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from mmap import mmap
from zoneinfo import ZoneInfo

from tools.sources.confined import Fingerprint, Refused, Root
from tools.sources.logs import index
from tools.sources.logs.largelog import MAX_ENTRIES, LargeLog
from tools.sources.logs.logfile import LogFile
from tools.sources.logs.search import LogHits, LogQuery
from tools.sources.spec import SourceState, problem_of
from tools.sources.timestamps import from_us, iso_us

_WHEN = r"(?:[.-]\d[\d._-]{0,24})?"  # of a rotated file: .1, -20260301, .2026-03-01.7
NAME = re.compile(rf"(?:.+\.(?:log|jsonl|ndjson|out|err)|syslog|messages){_WHEN}(?:\.gz|\.zst)?\Z", re.IGNORECASE)
_SUFFIXES = re.compile(rf"(?:\.(?:log|jsonl|ndjson|out|err)\b.*|{_WHEN}(?:\.gz|\.zst)?)\Z", re.IGNORECASE)
_DAY = re.compile(r"[._-]\d{4}-?\d\d-?\d\d(?:[._-]\d+)*\Z")
_POD = re.compile(r"[^_]+_[^_]+_(.+)-[0-9a-f]{64}\Z")  # POD_NAMESPACE_CONTAINER-ID, as Kubernetes links them
MAX_UTF16 = 32 * 2**20
MAX_UNORDERED = 8 * 2**30  # is read whole for each question, which has half a minute
_UTF16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_NAMELESS = """
    log logs events output app application server service stdout stderr console all out error errors access system
    messages syslog debug current combined
"""
_SAYS_NOTHING = frozenset(_NAMELESS.split())  # stems that name no service


@lru_cache(maxsize=64)
def _read(root: str, name: str, seen: Fingerprint, zone: str) -> LogFile | LargeLog:
    """Kept by fingerprint: a file that grew is read again."""
    modified = datetime.fromtimestamp(seen.modified_ns / 1e9, ZoneInfo(zone))
    content, service = _as_utf8(name, Root(root).content(name)), default_service(name)
    if len(content) > index.MAX_INDEXED:
        large = LargeLog(name, content, service, modified)
        if len(content) > MAX_UNORDERED and not large.is_ordered:
            size = len(content) / 2**30
            raise Refused(f"{name}: {size:,.0f} GB whose lines do not rise in time; split it, or sort it by time")
        return large
    return LogFile(index.build(name, content, service, modified))


def _as_utf8(name: str, content: mmap | bytes) -> mmap | bytes:
    """The content itself, or what Windows' tools write as UTF-16: readers look for line ends byte by byte."""
    encoding = _UTF16.get(content[:2])
    if encoding is None:
        return content
    if len(content) > MAX_UTF16:
        size = len(content) // 2**20
        raise Refused(
            f"{name}: {size} MB of UTF-16, more than the {MAX_UTF16 // 2**20} MB that are read; make it UTF-8"
        )
    return content[2:].decode(encoding, "replace").encode()


def default_service(name: str) -> str:
    """The file's stem, for lines that name no service; "" where the stem names none either."""
    stem = _DAY.sub("", _SUFFIXES.sub("", name.rsplit("/", 1)[-1]))
    if pod := _POD.match(stem):
        return pod[1]
    return "" if stem.lower() in _SAYS_NOTHING else stem


@dataclass(slots=True)
class FileLogs:
    """Several files as one source; rotated and compressed neighbours are simply more of them."""

    name: str
    root: Root
    files: list[str]
    zone: str = "UTC"  # of times that name none
    notes: list[str] = field(default_factory=list)

    def opened(self) -> list[LogFile | LargeLog]:
        """The files that can be read; why another cannot is kept in `notes`."""
        found, self.notes = [], []
        for file in self.files:
            try:
                log = _read(str(self.root.path), file, self.root.fingerprint(file), self.zone)
            except Refused as refusal:
                self.notes.append(str(refusal))
                continue
            found.append(log)
        return found

    def search(self, query: LogQuery) -> LogHits:
        hits = LogHits()
        for log in self.opened():
            found = log.search(query)
            if found.is_cut:
                since = iso_us(found.first_us) if found.first_us else "an earlier time"
                self.notes.append(f"more than {MAX_ENTRIES:,} lines match: only those since {since} were read")
            hits.add(found, query.limit)
        return hits

    def state(self) -> SourceState:
        logs = self.opened()
        oldest = min((log.oldest_us for log in logs if log.oldest_us is not None), default=None)
        newest = max((log.newest_us for log in logs if log.newest_us is not None), default=None)
        rows = [log.rows for log in logs]
        skipped = sum(log.skipped for log in logs)
        return SourceState(
            name=self.name,
            kind="logs",
            rows=None if None in rows else sum(count or 0 for count in rows),
            oldest=None if oldest is None else from_us(oldest),
            newest=None if newest is None else from_us(newest),
            services=sorted({name for log in logs for name in log.services()}),
            problem=problem_of(int(newest is not None), self.notes, skipped, "a time at the start", self.files),
            skipped=skipped,
            notes=tuple(self.notes),
        )

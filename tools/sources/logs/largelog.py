"""Searching a log file too large to index: by time to where the range lies, then only what could match is read.

Memory stays small at any size: blocks are read one after the other, the newest first, and dropped again. A pattern is
matched against lines as they are written.
"""

from __future__ import annotations

import mmap
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np
import re2

from tools.sources.logs import levels, lines
from tools.sources.logs.entry import Entry, Head
from tools.sources.logs.literals import Prefilter, prefilter_for
from tools.sources.logs.masking import kinds_of, template_of
from tools.sources.logs.search import LogHits, LogQuery, TemplateCount

BLOCK = 2**18  # fits the processor's cache, which the prefilter lives on
MAX_LINE = 2**20
MAX_ENTRIES = 200_000  # read for one question; older ones are then left out, and the answer says so
MAX_KINDS = 1_000
BATCH = 5_000  # entries counted at once
PROBES = 64  # places at which the order of the file is tried
NEAR = 2**16  # bytes in which a head is looked for, and what is read of a long entry
DENSE = 256  # bytes a place; where places stand closer the pattern itself is as fast
SLACK_US = 60_000_000  # how far lines may stand out of order where the probes rise
WARN = levels.LEVELS.index("WARN")
# A superset of what a line at WARN or worse looks like: words, Pino's numbers, access logs, klog, syslog.
LOUD = re2.compile(
    rb"(?im)warn|err|severe|fatal|crit|alert|emerg|panic"
    rb'|"(?:level|severity|lvl)"\s*:\s*"?[3-6WEF]|" 5\d\d|^[WEF]\d{4} |^<\d'
)


@dataclass(frozen=True, slots=True)
class Probe:
    start: int  # of a line
    at_us: int


@dataclass(frozen=True, slots=True)
class Hit:
    """The line with the head of an entry that matches."""

    start: int
    end: int
    head: Head


class LargeLog:
    """A file whose lines mostly rise in time. Where they do not, the whole file is read for each question."""

    left_out = 0
    skipped = 0
    rows: int | None = None  # nobody counted

    def __init__(self, file: str, content: mmap.mmap | bytes, default_service: str, modified: datetime):
        self.file, self.content, self.default_service, self._modified = file, content, default_service, modified
        self._probes = self._probe()
        times = [probe.at_us for probe in self._probes]
        falls = max((before - after for before, after in pairwise(times)), default=0)
        self._slack_us = max(falls, 0) + SLACK_US
        self.is_ordered = len(times) > 1 and falls * 20 <= max(times) - min(times)

    @property
    def oldest_us(self) -> int | None:
        return min((probe.at_us for probe in self._probes), default=None)

    @property
    def newest_us(self) -> int | None:
        return max((probe.at_us for probe in self._probes), default=None)

    def services(self) -> set[str]:
        """Those that stand near a probe."""
        heads = (head for probe in self._probes for head in self._heads_near(probe.start))
        return {hit.head.service or self.default_service for hit in heads} - {""}

    def search(self, query: LogQuery) -> LogHits:
        low, high, first, last = 0, len(self.content), 0, len(self.content)
        if self.is_ordered:
            low, high = self._offset(query.since_us, is_end=False), self._offset(query.until_us, is_end=True)
            first = self._offset(query.since_us - query.span_us - self._slack_us, is_end=False)
            last = self._offset(query.until_us + self._slack_us, is_end=True)
        hits, waiting, read = LogHits(), list[Hit](), 0
        seeker = _Seeker(query, self.default_service)
        for start, end in self._blocks(first, last):
            block = self.content[start:end]
            hits.searched += _lines_in(block, low - start, high - start)
            found = self._hits(start, block, seeker)
            self._drop(max(start - MAX_LINE, 0), end + NEAR)  # the system maps a few pages around each one too
            waiting, read = [*found, *waiting], read + len(found)
            hits.is_cut = read > MAX_ENTRIES and start > first
            if len(waiting) > BATCH or hits.is_cut:
                hits.add(self._count(waiting, query), query.limit)
                waiting = []
            if hits.is_cut:
                break
        hits.add(self._count(waiting, query), query.limit)
        return hits

    def _hits(self, start: int, block: bytes, seeker: _Seeker) -> list[Hit]:
        """Entries of the block that match, rising; each once, however many of its lines match."""
        found: dict[int, Hit] = {}
        for low, high in seeker.lines(block):
            hit = self._hit(start + low, start + high, seeker.reads_all)
            if hit and hit.start not in seeker.told and seeker.wants(hit.head):
                found[hit.start] = hit
        seeker.told |= {at for at in found if at < start}
        return [found[at] for at in sorted(found)]

    def _hit(self, start: int, end: int, heads_only: bool) -> Hit | None:
        """The entry of a line: its own, or where it carries no time the one above that it belongs to."""
        limit = start - NEAR
        while True:
            if head := self._head(start, end):
                return Hit(start, end, head)
            if heads_only or start <= max(limit, 0) or lines.stands_alone(self.content[start:end]):
                return None
            end = start - 1
            above = self.content.rfind(b"\n", max(limit, 0), end)
            if above < 0 < limit:
                return None
            start = above + 1

    def _head(self, start: int, end: int) -> Head | None:
        line = self.content[start : min(end, start + MAX_LINE)]
        return None if line[:1] == b"{" and end - start > MAX_LINE else lines.head(line, self._modified)

    def _count(self, found: list[Hit], query: LogQuery) -> LogHits:
        inside = [hit for hit in found if query.since_us <= hit.head.at_us < query.until_us]
        earliest = query.since_us - query.span_us
        counted = LogHits(total=len(inside), before=sum(earliest <= hit.head.at_us < query.since_us for hit in found))
        for hit in inside:
            counted.buckets[hit.head.at_us // query.bucket_us * query.bucket_us] += 1
            counted.services[hit.head.service or self.default_service] += 1
            counted.levels[levels.name(hit.head.level)] += 1
        if inside:
            times = [hit.head.at_us for hit in inside]
            counted.first_us, counted.last_us = min(times), max(times)
            counted.templates = self._templates(inside)
            newest = sorted(inside, key=lambda hit: (hit.head.at_us, hit.start))[::-1][: query.limit]
            counted.newest = [self._entry(hit) for hit in newest]
        return counted

    def _templates(self, inside: list[Hit]) -> dict[tuple[str, str], TemplateCount]:
        messages = [self._message(hit) for hit in inside]
        kinds = kinds_of(messages)
        texts = [template_of(messages[first]) for first in kinds.firsts]
        groups: dict[tuple[str, str], list[Hit]] = defaultdict(list)
        for hit, kind in zip(inside, kinds.of, strict=True):
            groups[hit.head.service or self.default_service, texts[kind]].append(hit)
        frequent = sorted(groups.items(), key=lambda item: -len(item[1]))[:MAX_KINDS]
        return {key: self._template(key[0], hits) for key, hits in frequent}

    def _template(self, service: str, hits: list[Hit]) -> TemplateCount:
        first = min(hits, key=lambda hit: (hit.head.at_us, hit.start))
        last_us = max(hit.head.at_us for hit in hits)
        return TemplateCount(len(hits), first.head.at_us, last_us, service, self._entry(first).message)

    def _message(self, hit: Hit) -> str:
        return lines.message(self.content[hit.start : min(hit.end, hit.start + NEAR)])

    def _entry(self, hit: Hit) -> Entry:
        """With the lines below that carry no time. Its place is a byte's: counting lines would read the file."""
        body = lines.body(self.content[hit.start : self._entry_end(hit)])
        service = hit.head.service or self.default_service
        where = f"{self.file}@{hit.start}"
        return Entry(hit.head.at_us, service, levels.name(hit.head.level), body.message, where, body.fields)

    def _entry_end(self, hit: Hit) -> int:
        end, limit = min(hit.end, hit.start + NEAR), min(hit.start + NEAR, len(self.content))
        if lines.stands_alone(self.content[hit.start : hit.end]):
            return hit.end
        while end < limit:
            below = self.content.find(b"\n", end + 1, limit)
            below = limit if below < 0 else below
            if below <= end + 1 or lines.stands_alone(self.content[end + 1 : below]) or self._head(end + 1, below):
                break
            end = below
        return end

    def _offset(self, at_us: int, *, is_end: bool) -> int:
        """Where the first line at or after that time starts; between the probes beside it by halves, then line by line.

        Where nothing can be read there, the farther end: what is read too much is sorted out by its own time.
        """
        low = max((probe.start for probe in self._probes if probe.at_us < at_us), default=0)
        high = min((probe.start for probe in self._probes if probe.at_us >= at_us), default=len(self.content))
        while high - low > NEAR:
            middle = (low + high) // 2
            hit = self._first_near(middle, 16 * NEAR)
            if hit is None:
                return high if is_end else low
            if hit.start >= high or hit.head.at_us >= at_us:
                high = middle
            else:
                low = hit.start
        return next((hit.start for hit in self._heads_near(low, 4 * NEAR) if hit.head.at_us >= at_us), high)

    def _first_near(self, offset: int, reach: int = NEAR) -> Hit | None:
        hit = next(self._heads_near(offset, reach), None)
        self._drop(0, len(self.content))
        return hit

    def _heads_near(self, offset: int, reach: int = NEAR) -> Iterator[Hit]:
        """Entries that start within reach of that offset, rising."""
        start = self.content.find(b"\n", offset - 1, offset + MAX_LINE) + 1 if offset else 0
        if offset and not start:
            return
        stop = min(start + reach, len(self.content))
        while start < stop:
            end = self.content.find(b"\n", start, start + MAX_LINE)
            end = min(start + MAX_LINE, len(self.content)) if end < 0 else end
            if head := self._head(start, end):
                yield Hit(start, end, head)
            start = end + 1

    def _probe(self) -> list[Probe]:
        size = len(self.content)
        first = [self._first_near(size * part // PROBES) for part in range(PROBES)]
        tail = list(self._heads_near(max(size - NEAR, 0)))
        hits = [*(hit for hit in first if hit), *tail[-1:]]
        newest = max(tail, key=lambda hit: hit.head.at_us, default=None)
        hits += [newest] if newest and newest is not tail[-1] else []
        return [Probe(hit.start, hit.head.at_us) for hit in sorted(hits, key=lambda hit: hit.start)]

    def _blocks(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Pieces of about BLOCK bytes that begin and end with a line, the last one first."""
        end = last
        while end > first:
            aim = max(end - BLOCK, first)
            start = first if aim == first else self.content.rfind(b"\n", max(aim - MAX_LINE, first), aim) + 1
            start = start if first <= start < end and (start or aim == first) else aim  # inside of an endless line
            yield start, end
            end = start

    def _drop(self, start: int, end: int) -> None:
        """Pages of a mapped file count as ours while they are mapped; the system keeps them in its cache."""
        if isinstance(self.content, mmap.mmap):
            page = start // mmap.PAGESIZE * mmap.PAGESIZE
            self.content.madvise(mmap.MADV_DONTNEED, page, min(end, len(self.content)) - page)


class _Seeker:
    """Finds the lines of a block that could belong to the answer to one query."""

    def __init__(self, query: LogQuery, default_service: str):
        self._query, self._default = query, default_service
        self._pattern = query.pattern.compiled if query.pattern else LOUD if query.level >= WARN else None
        self._prefilter = self._literals()
        self.told: set[int] = set()  # entries that begin in an older block than the line of theirs that matched
        self.reads_all = self._pattern is None and self._prefilter is None

    def _literals(self) -> Prefilter | None:
        if pattern := self._query.pattern:
            return prefilter_for(pattern.text, pattern.ignore_case)
        service = self._query.service
        is_written = service and service != self._default and self._pattern is None
        return Prefilter([service.encode()], ignore_case=False) if is_written and len(service) >= 4 else None

    def wants(self, head: Head) -> bool:
        is_service = not self._query.service or (head.service or self._default) == self._query.service
        return is_service and head.level >= self._query.level

    def lines(self, block: bytes) -> Iterator[tuple[int, int]]:
        """(start, end) of lines, rising, each once."""
        if self._prefilter:
            places = self._prefilter.places(block)
            if len(places) * DENSE <= len(block):
                yield from self._lines_at(block, places.tolist())
                return
        if self._pattern is None:
            yield from _every_line(block)
            return
        yield from self._lines_found(block)

    def _lines_at(self, block: bytes, places: list[int]) -> Iterator[tuple[int, int]]:
        done = -1
        for place in places:
            if place > done:
                start, done = _line_around(block, place)
                if self._pattern is None or self._pattern.search(block[start:done]):
                    yield start, done

    def _lines_found(self, block: bytes) -> Iterator[tuple[int, int]]:
        assert self._pattern is not None  # noqa: S101
        at = 0
        while at < len(block) and (match := self._pattern.search(block, at)):
            start, end = _line_around(block, match.start())
            if match.end() <= end or self._pattern.search(block[start:end]):
                yield start, end
            at = end + 1


def _lines_in(block: bytes, low: int, high: int) -> int:
    """Line ends between two offsets, which may lie beyond the block."""
    part = np.frombuffer(block, np.uint8)[max(low, 0) : max(high, 0)]
    return int(np.count_nonzero(part == 0x0A))


def _line_around(block: bytes, place: int) -> tuple[int, int]:
    end = block.find(b"\n", place)
    return block.rfind(b"\n", 0, place) + 1, len(block) if end < 0 else end


def _every_line(block: bytes) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(block):
        end = block.find(b"\n", start)
        end = len(block) if end < 0 else end
        if end > start:
            yield start, end
        start = end + 1

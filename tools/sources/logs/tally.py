"""Counts entries that came one by one, into the answer that indexed files give. For back ends that hand out lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from tools.sources.logs import levels, lines, text_lines
from tools.sources.logs.entry import Entry
from tools.sources.logs.masking import template_of
from tools.sources.logs.search import LogHits, LogQuery, TemplateCount
from tools.sources.timestamps import from_us

MAX_LINES = 5_000  # read for one question
MAX_PAGES = 20
PIECES = 20  # of a range with more lines than that
MAX_KINDS = 1_000


@dataclass(frozen=True, slots=True)
class Line:
    """One line as the back end keeps it. `mark` tells two lines of one moment apart."""

    at_us: int
    mark: str
    entry: Entry


def entry_of(text: str, at_us: int, service: str, level: str, where: str, fields: dict[str, object]) -> Entry:
    """What the line itself says where the back end knows no level or service of it."""
    raw = text.encode("utf-8", "replace")
    body = lines.body(raw)
    if level and service:
        return Entry(at_us, service, levels.name(levels.rank(level)), body.message, where, {**body.fields, **fields})
    head = lines.head(raw, from_us(at_us))
    rank = levels.rank(level)
    if rank == levels.UNKNOWN:
        rank = head.level if head else text_lines.level_of(text)
    found = service or (head.service if head else "")
    return Entry(at_us, found, levels.name(rank), body.message, where, {**body.fields, **fields})


def wanted(lines: Iterable[Line], query: LogQuery) -> Iterator[Entry]:
    """Entries in the range, of the service and level asked for."""
    for line in lines:
        entry = line.entry
        rank = levels.rank(entry.level)
        if query.since_us <= entry.at_us < query.until_us and (query.level < 0 or rank >= query.level):
            yield entry


def tally(entries: Sequence[Entry], query: LogQuery) -> LogHits:
    hits = LogHits(total=len(entries))
    for entry in entries:
        hits.buckets[entry.at_us // query.bucket_us * query.bucket_us] += 1
        hits.services[entry.service] += 1
        hits.levels[entry.level] += 1
        _count_template(hits, entry)
    newest = sorted(entries, key=lambda entry: -entry.at_us)
    hits.newest = newest[: query.limit]
    hits.first_us = newest[-1].at_us if newest else None
    hits.last_us = newest[0].at_us if newest else None
    return hits


def _count_template(hits: LogHits, entry: Entry) -> None:
    key = entry.service, template_of(entry.message)
    seen = TemplateCount(1, entry.at_us, entry.at_us, entry.service, entry.message)
    if key in hits.templates:
        hits.templates[key].add(seen)
    elif len(hits.templates) < MAX_KINDS:
        hits.templates[key] = seen


Fetch = Callable[[int, int, int], Sequence[Line]]  # the newest lines from, until, at most so many


def read_lines(
    fetch: Fetch, count: Callable[[], int], since_us: int, until_us: int, page: int
) -> tuple[list[Line], bool]:
    """All lines of the range; or, of more than are read, a part of each twentieth of it, and False.

    The newest alone would not do: everything that is older than them would look as if it had begun with them.
    """
    lines = fetch(since_us, until_us, page)
    if len(lines) < page:
        return list(lines), True
    if count() <= MAX_LINES:
        return page_back(fetch, since_us, until_us, page)
    width = -(-(until_us - since_us) // PIECES)
    pieces = ((low, min(low + width, until_us)) for low in range(since_us, until_us, width))
    return [line for low, high in pieces for line in fetch(low, high, MAX_LINES // PIECES)], False


def page_back(fetch: Fetch, since_us: int, until_us: int, page: int, most: int = MAX_LINES) -> tuple[list[Line], bool]:
    """Lines of the range, newest first, and whether that is all of them.

    The next page ends at the moment of the oldest line seen, that moment included: several lines may share it. What
    comes twice is told by its mark.
    """
    found: dict[tuple[int, str], Line] = {}
    for _ in range(MAX_PAGES):
        lines = fetch(since_us, until_us, page)
        fresh = [line for line in lines if (line.at_us, line.mark) not in found]
        found |= {(line.at_us, line.mark): line for line in fresh}
        if len(lines) < page:
            return list(found.values())[:most], len(found) <= most
        if len(found) >= most:
            break
        oldest = min(line.at_us for line in lines)
        until_us = oldest + 1 if fresh and oldest + 1 < until_us else oldest  # a whole page of one moment: go past it
        if until_us <= since_us:
            break
    return list(found.values())[:most], False

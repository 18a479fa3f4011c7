"""Lines that were not there before: kinds of log lines whose absence until then chance does not explain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import re2

from agent.analyst.casefile import Casefile, LineKind, moment
from tools.analysis.templates import join

NEW_AFTER_SHARE = 0.2  # lines first seen in the first fifth of the range may only be rare
FEW_LINES = 3
MISSED_LINES = 12.0  # so many were to be expected before; the chance of none is then 6 in a million, over many kinds
OUTNUMBER = 3  # new lines against older ones that are alike


@dataclass(frozen=True, slots=True)
class Outbreak:
    """Lines that were not there before."""

    kind: LineKind
    mentions: tuple[str, ...]  # other services its text names

    @property
    def service(self) -> str:
        return self.kind.service

    @property
    def is_own(self) -> bool:
        """Whether the service speaks of its own trouble rather than of another's."""
        return not self.mentions


def find_outbreaks(case: Casefile) -> list[Outbreak]:
    """Kinds of lines first seen so late that chance does not explain why they were missing before."""
    began, end = case.began, case.ended
    threshold = began + NEW_AFTER_SHARE * (end - began)
    usable = _earliest(kind for kind in case.lines if _matters(case, kind, threshold))
    late = [(text, _new_of(kinds, threshold, began, end)) for text, kinds in _alike(usable)]
    new = [_merged(text, kinds) for text, kinds in late if kinds]
    found = [Outbreak(kind, _mentions(kind, case.services)) for kind in new if kind.count >= FEW_LINES]
    return sorted(found, key=lambda one: (-one.kind.count, one.kind.first_at, one.kind.template))


def _is_new(kind: LineKind, began: datetime, end: datetime) -> bool:
    """By its rate since it was first seen, how many lines should have been there before? Few: it is only rare."""
    silent, heard = (kind.first_at - began).total_seconds(), max((end - kind.first_at).total_seconds(), 60.0)
    return kind.count * silent / heard >= MISSED_LINES


def _earliest(kinds: Iterable[LineKind]) -> list[LineKind]:
    """Each kind once, from the result that saw it earliest; an error stays one where a wider search saw it too."""
    known: dict[tuple[str, str], LineKind] = {}
    for kind in kinds:
        kept = known.get((kind.service, kind.template), kind)
        first = min(kept, kind, key=lambda one: (one.first_at, -one.count))
        is_error = "ERROR" in (kept.level, kind.level)
        known[kind.service, kind.template] = replace(first, level="ERROR" if is_error else first.level)
    return list(known.values())


def _new_of(kinds: Sequence[LineKind], threshold: datetime, began: datetime, end: datetime) -> list[LineKind]:
    """The new ones among kinds that are alike; none where the same was written before nearly as often."""
    new = [kind for kind in kinds if kind.first_at > threshold and _is_new(kind, began, end)]
    old = sum(kind.count for kind in kinds if kind not in new)
    return new if sum(kind.count for kind in new) >= OUTNUMBER * old else []


def _alike(kinds: Iterable[LineKind]) -> list[tuple[str, list[LineKind]]]:
    """Templates of a service that differ in a word or two, together."""
    by_service: dict[str, dict[str, LineKind]] = defaultdict(dict)
    for kind in kinds:
        by_service[kind.service][kind.template] = kind
    return [
        (group.text, [known[member] for member in group.members])
        for known in by_service.values()
        for group in join({template: kind.count for template, kind in known.items()})
    ]


def _merged(template: str, members: Sequence[LineKind]) -> LineKind:
    return replace(
        members[0],
        template=template,
        count=sum(kind.count for kind in members),
        first_at=min(kind.first_at for kind in members),
        last_at=max(kind.last_at for kind in members),
        level="ERROR" if any(kind.level == "ERROR" for kind in members) else members[0].level,
    )


def _matters(case: Casefile, kind: LineKind, since: datetime) -> bool:
    """Warnings or worse, from a search that reaches back to the quiet time."""
    row = next(row for row in case.results if row.evidence == kind.evidence)
    since_words = row.args.get("since", "")
    reaches_back = not since_words or ("since" in row.query and moment(row.query["since"]) <= since)
    return reaches_back and kind.level in ("WARN", "ERROR", "FATAL")


def _mentions(kind: LineKind, services: Sequence[str]) -> tuple[str, ...]:
    text = f"{kind.template} {kind.example}"
    return tuple(name for name in services if name != kind.service and len(name) > 2 and names_in(text, name))


def names_in(text: str, name: str) -> bool:
    """Whether the text holds the name as a word of its own."""
    pattern = rf"(?i)(^|[^\w-]){re2.escape(name)}($|[^\w-])"
    return re2.search(pattern, text) is not None

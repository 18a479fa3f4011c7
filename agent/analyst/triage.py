"""What moved, since when, and which service leads: the first judgement of a case, before any hypothesis."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import re2

from agent.analyst.casefile import Casefile, ChangeRecord, Failure, LineKind, Track, alert_text, moment
from agent.analyst.vocabulary import SYMPTOMS, Signal, is_demand, is_worse, kind_of, says_call_failed
from tools.analysis.anomalies import Departure, find_departure
from tools.analysis.callgraph import CallGraph, rank
from tools.analysis.templates import join

STRONG_Z = 12.0
MIN_RATIO = 1.15
NEW_AFTER_SHARE = 0.2  # lines first seen in the first fifth of the range may only be rare
FEW_LINES = 3
MISSED_LINES = 8.0  # so many were to be expected before; the chance of none is then below 1 in 2,000
SAME_TIME = timedelta(minutes=5)
LULL = timedelta(minutes=20)  # a departure that ended this long before the symptom is another story
_WEIGHT: dict[Signal, float] = {
    "error": 1.0, "availability": 1.0, "efficiency": 0.9, "saturation": 0.9, "latency": 0.8, "other": 0.5, "traffic": 0.3,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moved:
    """A series that left its normal range."""

    track: Track
    departure: Departure
    kind: Signal

    @property
    def service(self) -> str:
        return self.track.service

    @property
    def onset(self) -> datetime:
        return self.track.at(self.departure.onset)

    @property
    def is_strong(self) -> bool:
        return self.departure.z >= STRONG_Z and self.departure.ratio >= 1.3

    @property
    def strength(self) -> float:
        """0 to about 1: how far out, tempered by how much that is in practice."""
        far = min(1.0, math.log10(max(self.departure.z, 1.0)) / 2)
        much = min(1.0, 0.2 + (self.departure.ratio - 1))
        relief = 0.3 if self.departure.direction == "down" and self.kind in ("saturation", "traffic", "other") else 1.0
        return far * much * _WEIGHT[self.kind] * relief


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


@dataclass(frozen=True, slots=True)
class Triage:
    moved: tuple[Moved, ...]  # by onset
    outbreaks: tuple[Outbreak, ...]  # most frequent first
    onset: datetime | None  # of the first sign that belongs to the fault
    ranked: tuple[tuple[str, float], ...]  # services with their share of the blame
    graph: CallGraph
    failures: tuple[Failure, ...]
    past: tuple[Outbreak, ...] = ()  # bursts that were over before anything else moved, or that nothing ties to it

    @property
    def leader(self) -> str:
        return self.ranked[0][0] if self.ranked else ""

    @property
    def first_failing(self) -> str:
        """Of the services that carry most of the blame, the one that showed it first."""
        starts = _starts(self.moved, self.outbreaks)
        top = [name for name, share in self.ranked if share >= 0.5 * self.ranked[0][1]]
        return min(top, key=lambda name: (starts[name].replace(second=0, microsecond=0), top.index(name)), default="")

    @property
    def services(self) -> list[str]:
        return [name for name, _ in self.ranked]

    def moved_of(self, service: str) -> list[Moved]:
        return sorted((one for one in self.moved if one.service == service), key=lambda one: -one.strength)

    def outbreaks_of(self, service: str) -> list[Outbreak]:
        return [one for one in self.outbreaks if one.service == service]

    @property
    def is_quiet(self) -> bool:
        """Nothing that a user could feel has departed, and no new error is written."""
        return self.onset is None


def triage(case: Casefile) -> Triage:
    moved = _moved(case)
    outbreaks = _outbreaks(case)
    symptoms = [one for one in moved if one.kind in SYMPTOMS or one.is_strong]
    starts = [one.onset for one in symptoms] + [one.kind.first_at for one in outbreaks]
    if not starts:
        return Triage((), (), None, (), case.graph, ())
    focus = case.transcript.focus or max(starts)
    moved = [one for one in moved if _still_felt(one, focus)]
    felt = min((one.onset for one in moved if one.is_strong), default=focus)
    past = [one for one in outbreaks if one.kind.last_at < felt or _stands_alone(one, outbreaks, moved, case.graph)]
    outbreaks = [one for one in outbreaks if one not in past]
    graph = _with_mentions(case.graph, outbreaks, moved)
    failures = tuple(one for one in case.failures if one.at >= min(starts) - timedelta(minutes=2))
    ranked = _rank(moved, outbreaks, failures, graph)
    onset = _first_sign(moved, outbreaks)
    if onset is None or not (_is_felt(moved, outbreaks) or not case.tracks):
        return Triage((), (), None, (), graph, ())
    return Triage(tuple(moved), tuple(outbreaks), onset, tuple(ranked), graph, failures, tuple(past))


def _stands_alone(one: Outbreak, outbreaks: Sequence[Outbreak], moved: Sequence[Moved], graph: CallGraph) -> bool:
    """Whether its service shows nothing else and no call or complaint ties it to a service that does."""
    troubled = {other.service for other in moved if other.is_strong} | {other.service for other in outbreaks if other.mentions}
    if not graph.callees or one.service in troubled or not troubled:
        return False
    tied = graph.below(one.service) | graph.above(one.service) | set(one.mentions)
    named = any(one.service in other.mentions for other in outbreaks)
    return not (tied & troubled) and not named


def best_tracks(case: Casefile) -> list[Track]:
    """Each series once, at its finest step."""
    best: dict[str, Track] = {}
    for track in case.tracks:
        kept = best.get(track.id)
        if kept is None or (track.step_s, -len(track.times)) < (kept.step_s, -len(kept.times)):
            best[track.id] = track
    return list(best.values())


def _moved(case: Casefile) -> list[Moved]:
    found = []
    for track in best_tracks(case):
        departure = find_departure(track.values)
        if departure is None or departure.ratio < MIN_RATIO or not is_worse(track.name, departure.direction):
            continue
        found.append(Moved(track, departure, kind_of(track.name)))
    return sorted(found, key=lambda one: (one.onset, -one.strength))


def _still_felt(one: Moved, focus: datetime) -> bool:
    last = one.track.at(one.departure.last)
    return last >= focus - LULL and (one.strength >= 0.15 or one.is_strong)


def _outbreaks(case: Casefile) -> list[Outbreak]:
    """Kinds of lines first seen so late that chance does not explain why they were missing before."""
    began, end = case.began, case.as_of
    threshold = began + NEW_AFTER_SHARE * (end - began)
    usable = _earliest(kind for kind in case.lines if _matters(case, kind, threshold))
    new = [kind for kind in usable if kind.first_at > threshold and _is_new(kind, began, end)]
    found = [Outbreak(kind, _mentions(kind, case.services)) for kind in _joined(new) if kind.count >= FEW_LINES]
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


def _joined(kinds: Iterable[LineKind]) -> list[LineKind]:
    """Templates of a service that differ in a word or two become one kind."""
    by_service: dict[str, dict[str, LineKind]] = defaultdict(dict)
    for kind in kinds:
        by_service[kind.service][kind.template] = kind
    return [
        _merged(group.text, [known[member] for member in group.members])
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
    reaches_back = "since" in row.query and moment(row.query["since"]) <= since
    return reaches_back and kind.level in ("WARN", "ERROR", "FATAL")


def _mentions(kind: LineKind, services: Sequence[str]) -> tuple[str, ...]:
    text = f"{kind.template} {kind.example}"
    return tuple(name for name in services if name != kind.service and len(name) > 2 and names_in(text, name))


def names_in(text: str, name: str) -> bool:
    """Whether the text holds the name as a word of its own."""
    pattern = rf"(?i)(^|[^\w-]){re2.escape(name)}($|[^\w-])"
    return re2.search(pattern, text) is not None


def _with_mentions(graph: CallGraph, outbreaks: Iterable[Outbreak], moved: Sequence[Moved]) -> CallGraph:
    """Calls, plus who complains of whom; a call that only loads its callee with more traffic is turned round."""
    edges = {(caller, callee) for caller, callees in graph.callees.items() for callee in callees}
    for one in outbreaks:
        if says_call_failed(one.kind.example) or len(one.mentions) == 1:
            edges |= {(one.service, name) for name in one.mentions}
    flooded = {one.service: one for one in moved if one.departure.direction == "up" and _is_flood(one)}
    first = {name: min(one.onset for one in moved if one.service == name) for name in {one.service for one in moved}}
    turned = {
        (caller, callee)
        for caller, callee in edges
        if callee in flooded and caller not in flooded and caller in first and first[caller] <= flooded[callee].onset + SAME_TIME
    }
    return CallGraph.of((edges - turned) | {(callee, caller) for caller, callee in turned})


def _rank(
    moved: Sequence[Moved], outbreaks: Sequence[Outbreak], failures: Sequence[Failure], graph: CallGraph
) -> list[tuple[str, float]]:
    starts = _starts(moved, outbreaks)
    if not starts:
        return []
    own = _own_scores(moved, outbreaks, failures)
    earliest = min(starts.values())
    for name in own:
        own[name] *= 0.4 + 0.6 * math.exp(-_minutes(earliest, starts[name]) / 15)
    voiced = {one.service for one in outbreaks if one.is_own and not says_call_failed(one.kind.example)}
    spoken = _own_words(outbreaks)
    follows = {
        (caller, callee): _follows(_minutes(starts[caller], starts[callee]), spoken.get(caller), spoken.get(callee))
        for caller, callees in graph.callees.items() if caller in starts
        for callee in callees if callee in starts
    }  # fmt: skip
    return rank(own, graph, keeps={name: 3.0 for name in voiced}, follows=follows)


def _is_flood(one: Moved) -> bool:
    return one.kind == "traffic" and is_demand(one.track.name)


def _own_words(outbreaks: Sequence[Outbreak]) -> dict[str, frozenset[str]]:
    """The templates in which each service speaks of its own trouble."""
    spoken: dict[str, set[str]] = defaultdict(set)
    for one in outbreaks:
        if one.is_own:
            spoken[one.service].add(one.kind.template)
    return {name: frozenset(found) for name, found in spoken.items()}


def _follows(lag_min: float, caller: frozenset[str] | None, callee: frozenset[str] | None) -> float:
    """How well blame fits a call: the callee is not late, and the two do not simply run the same broken code."""
    in_order = math.exp(-max(0.0, lag_min - 2) / 5)
    return in_order * (0.1 if caller and callee and caller & callee else 1.0)


def _starts(moved: Sequence[Moved], outbreaks: Sequence[Outbreak]) -> dict[str, datetime]:
    """When each service first showed anything."""
    starts: dict[str, datetime] = {}
    for service, at in [(one.service, one.onset) for one in moved] + [(one.service, one.kind.first_at) for one in outbreaks]:
        starts[service] = min(starts.get(service, at), at)
    return starts


def _own_scores(moved: Sequence[Moved], outbreaks: Sequence[Outbreak], failures: Sequence[Failure]) -> dict[str, float]:
    """How anomalous each service is by itself: its strongest series count most, its own words more than complaints."""
    own: dict[str, float] = defaultdict(float)
    for one in sorted(moved, key=lambda one: -one.strength):
        own[one.service] += one.strength * (1.0 if own[one.service] == 0 else 0.3)
    for outbreak in outbreaks:
        own[outbreak.service] += min(1.0, math.log10(outbreak.kind.count + 1) / 3) * (0.6 if outbreak.is_own else 0.1)
    for name, count in _deepest(failures).items():
        if name in own:
            own[name] += min(0.6, 0.1 * count)
    return own


def _minutes(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() / 60


def _deepest(failures: Sequence[Failure]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for failure in failures:
        counts[failure.service] += 1
    return counts


def _is_felt(moved: Sequence[Moved], outbreaks: Sequence[Outbreak]) -> bool:
    """Warnings alone, while every series stays where it was, are no fault."""
    return any(one.is_strong or one.kind in SYMPTOMS for one in moved) or any(one.kind.level == "ERROR" for one in outbreaks)


def _first_sign(moved: Sequence[Moved], outbreaks: Sequence[Outbreak]) -> datetime | None:
    """The earliest strong departure or own outbreak; weak drifts do not set the clock."""
    starts = [one.onset for one in moved if one.is_strong] or [one.onset for one in moved if one.kind in SYMPTOMS]
    starts += [one.kind.first_at for one in outbreaks if one.kind.count >= 2 * FEW_LINES]
    return min(starts, default=None)


def alert_track(case: Casefile) -> Track | None:
    """The series that the alert watches."""
    alert = case.transcript.alert
    service, metric = alert_text(alert, "service"), alert_text(alert, "metric")
    return next((track for track in best_tracks(case) if track.service == service and track.name == metric), None)


__all__ = ["ChangeRecord", "Moved", "Outbreak", "Triage", "alert_track", "best_tracks", "moment", "names_in", "triage"]

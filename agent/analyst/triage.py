"""What moved, since when, and which service leads: the first judgement of a case, before any hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.analyst.casefile import Casefile, Failure
from agent.analyst.leads import rank_services, starts_of, with_mentions
from agent.analyst.moved import Moved, find_moved
from agent.analyst.outbreaks import FEW_LINES, Outbreak, find_outbreaks
from tools.analysis.callgraph import CallGraph
from tools.analysis.metric_words import SYMPTOMS

LULL = timedelta(minutes=20)  # a departure that ended this long before the symptom is another story


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
        starts = starts_of(self.moved, self.outbreaks)
        top = [name for name, share in self.ranked if share >= 0.5 * self.ranked[0][1]]
        dated = [name for name in top if name in starts]
        minute = {name: starts[name].replace(second=0, microsecond=0) for name in dated}
        first = min(dated, key=lambda name: (minute[name], top.index(name)), default="")
        return first or self.leader

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
    moved = find_moved(case)
    outbreaks = find_outbreaks(case)
    symptoms = [one for one in moved if one.kind in SYMPTOMS or one.is_strong]
    starts = [one.onset for one in symptoms] + [one.kind.first_at for one in outbreaks]
    if not starts:
        return Triage((), (), None, (), case.graph, ())
    focus = case.transcript.focus or max(starts)
    moved = [one for one in moved if _still_felt(one, focus)]
    felt = min((one.onset for one in moved if one.is_strong), default=focus)
    past = [one for one in outbreaks if one.kind.last_at < felt or _stands_alone(one, outbreaks, moved, case.graph)]
    outbreaks = [one for one in outbreaks if one not in past]
    graph = with_mentions(case.graph, outbreaks, moved)
    failures = tuple(one for one in case.failures if one.at >= min(starts) - timedelta(minutes=2))
    ranked = rank_services(moved, outbreaks, failures, graph)
    onset = _first_sign(moved, outbreaks)
    if onset is None or not (_is_felt(moved, outbreaks) or not case.tracks):
        return Triage((), (), None, (), graph, ())
    return Triage(tuple(moved), tuple(outbreaks), onset, tuple(ranked), graph, failures, tuple(past))


def _stands_alone(one: Outbreak, outbreaks: Sequence[Outbreak], moved: Sequence[Moved], graph: CallGraph) -> bool:
    """Whether its service shows nothing else and no call or complaint ties it to a service that does."""
    troubled = {other.service for other in moved if other.is_strong} | {
        other.service for other in outbreaks if other.mentions
    }
    if not graph.callees or one.service in troubled or not troubled:
        return False
    tied = graph.below(one.service) | graph.above(one.service) | set(one.mentions)
    named = any(one.service in other.mentions for other in outbreaks)
    return not (tied & troubled) and not named


def _still_felt(one: Moved, focus: datetime) -> bool:
    last = one.track.at(one.departure.last)
    return last >= focus - LULL and (one.strength >= 0.15 or one.is_strong)


def _is_felt(moved: Sequence[Moved], outbreaks: Sequence[Outbreak]) -> bool:
    """Warnings alone, or series that barely leave their range as they do at every peak of load, are no fault."""
    is_seen = any(one.is_strong for one in moved)
    return is_seen or any(one.kind.level == "ERROR" for one in outbreaks)


def _first_sign(moved: Sequence[Moved], outbreaks: Sequence[Outbreak]) -> datetime | None:
    """The earliest strong departure or own outbreak; weak drifts do not set the clock."""
    starts = [one.onset for one in moved if one.is_strong] or [one.onset for one in moved if one.kind in SYMPTOMS]
    starts += [one.kind.first_at for one in outbreaks if one.kind.count >= 2 * FEW_LINES]
    return min(starts, default=None)

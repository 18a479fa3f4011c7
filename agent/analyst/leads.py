"""Which service leads: own scores, the order of onsets, who calls and who blames whom, walked down the call graph."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from agent.analyst.casefile import Failure
from agent.analyst.moved import Moved
from agent.analyst.outbreaks import Outbreak
from agent.analyst.vocabulary import says_call_failed
from tools.analysis.callgraph import CallGraph, rank
from tools.analysis.metric_words import is_demand

SAME_TIME = timedelta(minutes=5)


def rank_services(
    moved: Sequence[Moved], outbreaks: Sequence[Outbreak], failures: Sequence[Failure], graph: CallGraph
) -> list[tuple[str, float]]:
    starts = starts_of(moved, outbreaks)
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
    return rank(own, graph, keeps=dict.fromkeys(voiced, 3.0), follows=follows)


def _is_flood(one: Moved) -> bool:
    return one.kind == "traffic" and is_demand(one.track.name)


def with_mentions(graph: CallGraph, outbreaks: Iterable[Outbreak], moved: Sequence[Moved]) -> CallGraph:
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
        if callee in flooded
        and caller not in flooded
        and caller in first
        and first[caller] <= flooded[callee].onset + SAME_TIME
    }
    return CallGraph.of((edges - turned) | {(callee, caller) for caller, callee in turned})


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


def starts_of(moved: Sequence[Moved], outbreaks: Sequence[Outbreak]) -> dict[str, datetime]:
    """When each service first showed anything."""
    starts: dict[str, datetime] = {}
    for service, at in [(one.service, one.onset) for one in moved] + [
        (one.service, one.kind.first_at) for one in outbreaks
    ]:
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

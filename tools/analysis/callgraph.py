"""Who calls whom, and which service the blame runs down to. Knows calls and scores, not what an anomaly is.

Method: a random walk with restart from callers to their anomalous callees (MonitorRank, Kim et al. 2013; MicroRCA,
Wu et al. 2020): blame flows along a call in proportion to the callee's own score and stays where no callee has any.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

RESTART = 0.15
ROUNDS = 60


@dataclass(frozen=True, slots=True)
class CallGraph:
    """Directed caller → callee edges."""

    callees: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, edges: Iterable[tuple[str, str]]) -> CallGraph:
        found: dict[str, set[str]] = defaultdict(set)
        for caller, callee in edges:
            if caller and callee and caller != callee:
                found[caller].add(callee)
        return cls({caller: frozenset(names) for caller, names in found.items()})

    @property
    def services(self) -> list[str]:
        called = {name for names in self.callees.values() for name in names}
        return sorted(called | set(self.callees))

    def below(self, service: str) -> frozenset[str]:
        """All that the service depends on, directly or not, without itself."""
        return self._reach(service, self.callees)

    def above(self, service: str) -> frozenset[str]:
        """All that depends on the service."""
        callers: dict[str, set[str]] = defaultdict(set)
        for caller, names in self.callees.items():
            for name in names:
                callers[name].add(caller)
        return self._reach(service, {name: frozenset(found) for name, found in callers.items()})

    @staticmethod
    def _reach(start: str, edges: Mapping[str, frozenset[str]]) -> frozenset[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for name in edges.get(waiting.pop(), frozenset()) - seen:
                seen.add(name)
                waiting.append(name)
        return frozenset(seen - {start})


def rank(
    scores: Mapping[str, float], graph: CallGraph, keeps: Mapping[str, float], follows: Mapping[tuple[str, str], float]
) -> list[tuple[str, float]]:
    """Services with their share of the blame, largest first; shares sum to 1. Only services with a score take part.

    `keeps`: how much of a service's blame stays with it although its callees are anomalous too (it speaks of a fault of
    its own). `follows`: for a call, how well the order of onsets fits blame that runs from caller to callee, 0 to 1.
    """
    names = sorted(name for name, score in scores.items() if score > 0)
    if not names:
        return []
    own = np.array([scores[name] for name in names])
    start = own / own.sum()
    walk = np.diag(own)
    for row, name in enumerate(names):
        for column, other in enumerate(names):
            if other in graph.callees.get(name, frozenset()):
                walk[row, column] = own[column] * follows.get((name, other), 1.0)
        if walk[row].sum() > own[row]:
            walk[row, row] *= keeps.get(name, 0.25)
    walk /= walk.sum(axis=1, keepdims=True)
    share = start.copy()
    for _ in range(ROUNDS):
        share = (1 - RESTART) * share @ walk + RESTART * start
    return sorted(zip(names, share.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0]))

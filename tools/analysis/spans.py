"""Where time went in one set of traces beside another: by each service itself, and between a caller and its callee.

Methods: self time as profilers count it; the gap between a client's span and the server's span under it, which holds
network and queueing (Dapper, Sigelman et al. 2010). Each operation is compared only with itself in the quiet time.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

FEW = 3  # runs of an operation, fewer tell nothing of its usual time
SHORTEST_MS = 0.1  # below it clocks and rounding speak
MINDED = 1.5  # times as long; less is no news in any system
MAD_TO_SIGMA = 1.4826


class AnyForest(Protocol):
    @property
    def spans(self) -> Sequence[Any]: ...

    def self_ms(self, span: Any) -> float: ...

    def call_under(self, span: Any) -> Any | None: ...


@dataclass(frozen=True, slots=True)
class Lap:
    """One measured time. `usual` names what it is compared with, from the exact operation to the general."""

    service: str
    part: str  # which part of the service: an operation of its own, or the peer of a call
    usual: tuple[Hashable, ...]
    ms: float


@dataclass(frozen=True, slots=True)
class _Usual:
    """How long an operation takes in the quiet time."""

    count: int
    mean: float  # of the logarithms
    variance: float


@dataclass(frozen=True, slots=True)
class Slowdown:
    """How many times longer a service takes than in the quiet time, beside the system as a whole."""

    service: str
    log_ratio: float
    error: float  # standard error of log_ratio
    parts: int
    laps: int
    now_ms: float  # geometric means, of the part that slowed most
    quiet_ms: float

    @property
    def ratio(self) -> float:
        return math.exp(self.log_ratio)

    @property
    def z(self) -> float:
        """In standard errors, how far the slowdown lies above one that nobody would mind."""
        return (self.log_ratio - math.log(MINDED)) / self.error


def self_laps(forest: AnyForest) -> list[Lap]:
    """Time inside each span itself; a span that only waits for one call to another service is that call's."""
    return [
        Lap(span.service, span.name, ((span.service, span.name),), forest.self_ms(span))
        for span in forest.spans if forest.call_under(span) is None
    ]  # fmt: skip


def gap_laps(forest: AnyForest) -> list[Lap]:
    """What a call takes longer at its caller than at its callee: the callee's, whose callers all see it.

    A service that nobody calls is seen by its own calls instead.
    """
    calls = [(span, callee) for span in forest.spans if (callee := forest.call_under(span)) is not None]
    called = {callee.service for _, callee in calls}
    laps = []
    for span, callee in calls:
        usual = ((span.service, callee.service, callee.name), (callee.service, callee.name), callee.service, "")
        between = span.duration_ms - callee.duration_ms
        laps.append(Lap(callee.service, span.service, usual, between))
        if span.service not in called:
            laps.append(Lap(span.service, callee.service, usual, between))
    return laps


def slowdowns(now: Sequence[Lap], quiet: Sequence[Lap]) -> list[Slowdown]:
    """One a service, in the order of names.

    Parts count alike, however often each runs: what ails a service ails all of it, while a query over a table that grew
    slows one operation. The spread between parts is a healthy system's own: it and the number of parts make the error.
    """
    usual = _usual(quiet)
    shifts: dict[tuple[str, str], list[tuple[float, _Usual]]] = defaultdict(list)
    for lap in now:
        known = next((usual[key] for key in lap.usual if key in usual and usual[key].count >= FEW), None)
        if known is not None:
            shifts[lap.service, lap.part].append((_log(lap.ms) - known.mean, known))
    parts = {key: _part(laps) for key, laps in shifts.items() if len(laps) >= FEW}
    if not parts:
        return []
    logs = np.array([part.shift for part in parts.values()])
    middle = float(np.median(logs))
    spread = MAD_TO_SIGMA * float(np.median(np.abs(logs - middle)))
    by_service: dict[str, list[_Part]] = defaultdict(list)
    for (service, _), part in sorted(parts.items()):
        by_service[service].append(part)
    return [_slowdown(service, found, middle, spread) for service, found in by_service.items()]


def _log(ms: float) -> float:
    return math.log(max(ms, SHORTEST_MS))


def _usual(quiet: Sequence[Lap]) -> dict[Hashable, _Usual]:
    times: dict[Hashable, list[float]] = defaultdict(list)
    for lap in quiet:
        for key in lap.usual:
            times[key].append(lap.ms)
    return {key: _usual_of(found) for key, found in times.items()}


def _usual_of(times: list[float]) -> _Usual:
    logs = np.log(np.maximum(times, SHORTEST_MS))
    return _Usual(len(times), float(logs.mean()), float(logs.var()))


@dataclass(frozen=True, slots=True)
class _Part:
    shift: float  # mean of the logarithms, against the usual
    error: float
    laps: int
    quiet_ms: float


def _part(laps: list[tuple[float, _Usual]]) -> _Part:
    shifts = np.array([shift for shift, _ in laps])
    unsure = float(np.mean([known.variance / known.count for _, known in laps]))
    return _Part(
        shift=float(shifts.mean()),
        error=math.sqrt(float(shifts.var()) / len(laps) + unsure),
        laps=len(laps),
        quiet_ms=math.exp(float(np.mean([known.mean for _, known in laps]))),
    )


def _slowdown(service: str, parts: Sequence[_Part], middle: float, spread: float) -> Slowdown:
    own = float(np.mean([part.error**2 for part in parts]))
    slowest = max(parts, key=lambda part: part.shift)
    return Slowdown(
        service=service,
        log_ratio=float(np.mean([part.shift for part in parts])) - middle,
        error=math.sqrt((spread**2 + own) / len(parts)) or SHORTEST_MS,
        parts=len(parts),
        laps=sum(part.laps for part in parts),
        now_ms=slowest.quiet_ms * math.exp(slowest.shift),
        quiet_ms=slowest.quiet_ms,
    )

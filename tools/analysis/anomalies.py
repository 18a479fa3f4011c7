"""When a series left its own quiet behaviour, in which direction and how far. Judges one series, not a system.

Method: robust z-score (median and MAD, Iglewicz & Hoaglin 1993) against the series' own quiet part; the threshold is
raised to what the quiet part itself reaches, and an onset needs a run of points, since a single outlier is no incident.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tools.analysis.changepoints import Values, find_change_point

Direction = Literal["up", "down"]

MIN_POINTS = 12  # fewer say nothing about what is normal
THRESHOLD = 6.0
EDGE = 3.0  # where a run is said to begin, walking back from the point that crossed the threshold
MAD_TO_SIGMA = 1.4826
RUN, RUN_OF = 3, 5  # three of five points outside
SPIKES = 3


@dataclass(frozen=True, slots=True)
class Normal:
    """A series while it is quiet."""

    median: float
    scale: float  # robust standard deviation, never 0
    low: float
    high: float
    worst_z: float  # the farthest that the quiet part itself strays


@dataclass(frozen=True, slots=True)
class Departure:
    """A series that left its normal range. `z` is the median distance afterwards in robust standard deviations."""

    onset: int  # index of the first point outside
    direction: Direction
    z: float
    level: float  # median after the onset
    peak: int  # index of the farthest point
    last: int  # index of the last point outside
    normal: Normal
    ongoing: bool  # the newest points are still outside
    spiky: bool  # separate peaks rather than a new level

    @property
    def ratio(self) -> float:
        """New level over the old one, at least 1 either way; the denominator is kept off 0 by the scale."""
        small, large = sorted((abs(self.level), abs(self.normal.median)))
        return (large + self.normal.scale) / (small + self.normal.scale)


def normal_of(quiet: Values, whole: Values) -> Normal:
    """What is normal in `quiet`. `whole` sets the floor of the scale where the quiet part is constant."""
    median = float(np.median(quiet))
    mad = MAD_TO_SIGMA * float(np.median(np.abs(quiet - median)))
    spread = float(np.max(np.abs(whole - median), initial=0.0))
    floor = max(0.01 * abs(median), 1e-3 * spread, 1e-12)
    scale = max(mad, 0.5 * float(np.std(quiet)), floor)
    low, high = (float(bound) for bound in np.percentile(quiet, (1, 99)))
    return Normal(median, scale, low, high, float(np.max(np.abs(quiet - median), initial=0.0)) / scale)


def find_departure(values: Values, quiet_points: int | None = None) -> Departure | None:
    """The first lasting departure from the quiet start, or None. A rising counter is judged by its increments."""
    if len(values) < MIN_POINTS:
        return None
    quiet = quiet_points or _quiet_start(values)
    judged = increments(values) if is_counter(values[:quiet]) else values
    found = _first(judged, quiet)
    if found is not None and found.onset > quiet * 1.2:  # all that lies before the onset is quiet, and tells more
        found = _first(judged, found.onset - max(1, found.onset // 20)) or found
    return found


def _quiet_start(values: Values) -> int:
    """The first quarter, or less where the level changes for good within it."""
    quarter = max(len(values) // 4, MIN_POINTS // 2)
    change = find_change_point(values)
    if change is None or change.p_value > 1e-4 or change.index >= quarter:
        return quarter
    return max(change.index - 1 - change.index // 10, MIN_POINTS // 2)  # clear of the change itself


def is_counter(values: Values) -> bool:
    """Whether the values only ever rise, as totals do."""
    steps = np.diff(values)
    return len(steps) > 0 and bool(np.all(steps >= 0)) and float(np.mean(steps > 0)) > 0.5 and values[0] < values[-1]


def increments(values: Values) -> Values:
    return np.concatenate([[values[1] - values[0]], np.maximum(np.diff(values), 0)])


def _first(values: Values, quiet: int) -> Departure | None:
    normal = normal_of(values[:quiet], values)
    z = (values - normal.median) / normal.scale
    threshold = max(THRESHOLD, 1.3 * normal.worst_z)
    outside = np.abs(z) > threshold
    outside[:quiet] = False
    start, spiky = _run_start(outside), False
    if start is None:
        start, spiky = _spikes_start(np.abs(z) > 2 * threshold), True
    if start is None:
        return None
    onset = _walk_back(z, start, max(EDGE, 1.1 * normal.worst_z))
    after = z[onset:] if not spiky else z[onset:][outside[onset:]]
    middle = float(np.median(after))
    if not spiky and abs(middle) < EDGE:  # it came back soon: the excursion itself is what is judged
        after = after[np.abs(after) > EDGE]
        middle = float(np.median(after))
    peak = onset + int(np.argmax(np.abs(z[onset:])))
    tail = np.abs(z[-RUN:]) > EDGE
    return Departure(
        onset=onset,
        direction="up" if middle > 0 else "down",
        z=abs(middle),
        level=normal.median + middle * normal.scale,
        peak=peak,
        last=int(np.flatnonzero(np.abs(z) > EDGE)[-1]),
        normal=normal,
        ongoing=bool(np.mean(tail) > 0.5),
        spiky=spiky,
    )


def _run_start(outside: NDArray[np.bool_]) -> int | None:
    """The first point outside with at least RUN of RUN_OF points outside from there on; at the end, all of the rest."""
    for index in np.flatnonzero(outside):
        window = outside[index : index + RUN_OF]
        if window.sum() >= RUN or (len(window) >= 2 and index + RUN_OF > len(outside) and bool(window.all())):
            return int(index)
    return None


def _spikes_start(outside: NDArray[np.bool_]) -> int | None:
    found = np.flatnonzero(outside)
    return int(found[0]) if len(found) >= SPIKES else None


def _walk_back(z: NDArray[Any], start: int, edge: float) -> int:
    """To where the run left the quiet band; a single quiet point within it does not end the walk."""
    outside = z * np.sign(z[start]) > edge
    index = start
    while index > 0 and (outside[index - 1] or (index > 1 and outside[index - 2])):
        index -= 1
    return index if outside[index] else index + 1

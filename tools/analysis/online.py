"""How unusual each point is, judged by what came before it alone: scores for events, and alerts that are few and early.

Methods: the distance from the running mean, on the square root of the value (it steadies counts and rates: Anscombe
1948), in units of its own past; where there are days, from the same time of earlier days too, the smaller of both. An
alert is a record: a point, or the mean of a short while, that is farther out than ever before. Of n alike points only
about ln n are records, so alerts stay few without a threshold for each series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]  # one row a series, rising in time
Flags = NDArray[np.bool_]

PROBATION = 0.15  # of the points; nothing is said of them
LONGEST_PROBATION = 750  # points
SPACING = 0.05  # of the points between two alerts
SETTLE = 30  # points until a mean means something
SHORT = 40  # points of the mean that shows a new level
RECORD = 1.02  # times the farthest so far
UNUSUAL = 3.0  # root mean squares; nearer than this is no news, even as a record
LONG = 1_000  # points that a score looks back
DAYS, PHASES = 7, (-1, 0, 1)  # earlier days, and neighbours of the same time of day
FEWEST_PER_DAY, DAYS_BEFORE = 4, 3  # below these there is no time of day
FLAT = 1e-3  # of the mean: the least scale of a series that does not move


@dataclass(frozen=True, slots=True)
class Alert:
    index: int
    direction: Literal["up", "down"]
    z: float  # the distance in units of its past, as a root mean square
    is_level: bool  # a short while as a whole, not one point


def find_alerts(values: Matrix, least_z: float = UNUSUAL) -> list[list[Alert]]:
    """Alerts of each row, rising. Rows are judged apart; none may hold NaN."""
    count = values.shape[1]
    found: list[list[Alert]] = [[] for _ in values]
    if count <= SETTLE:
        return found
    steady = _steadied(values)
    mean = _mean_before(steady, count)
    channels = [steady - mean, _mean_of_last(steady, min(SHORT, max(count // 5, 2))) - mean]
    scores = [np.abs(channel) / _scale(channel, mean) for channel in channels]
    fires = [_records(np.abs(channel)) & (score >= least_z) for channel, score in zip(channels, scores, strict=True)]
    either = fires[0] | fires[1]
    either[:, : probation(count)] = False
    spacing = int(SPACING * count)
    for row in np.flatnonzero(either.any(axis=1)).tolist():
        for index in _spaced(np.flatnonzero(either[row]), spacing):
            is_level = not fires[0][row, index]
            direction: Literal["up", "down"] = "up" if channels[is_level][row, index] > 0 else "down"
            found[row].append(Alert(index, direction, float(scores[is_level][row, index]), is_level))
    return found


def probation(count: int) -> int:
    """How many points at the start are only listened to."""
    return int(min(PROBATION * count, LONGEST_PROBATION))


def event_scores(values: Matrix, per_day: int = 0) -> Matrix:
    """How far each point is from what is usual, in root mean squares of its past; UNUSUAL is an event.

    `per_day` points make a day; 0 where the series knows no time of day.
    """
    steady = _steadied(values)
    mean = _mean_before(steady, LONG)
    scores = _score(steady - mean, steady, mean)
    count = values.shape[1]
    if per_day >= FEWEST_PER_DAY and DAYS_BEFORE * per_day <= count:
        from_days = steady - _same_time(steady, per_day)
        known = np.isfinite(from_days)
        known[:, : per_day + SETTLE] = False
        seasonal = _score(np.where(known, from_days, 0.0), steady, mean)
        scores = np.where(known, np.minimum(scores, seasonal), scores)
    scores[:, : probation(count) // 2] = 0.0
    return scores


def _steadied(values: Matrix) -> Matrix:
    return np.sign(values) * np.sqrt(np.abs(values))


def _mean_before(values: Matrix, most: int) -> Matrix:
    """Mean of at most `most` points before each; the first point is its own mean."""
    means = _window_sums(values, most)[:, :-1] / np.clip(np.arange(values.shape[1]), 1, most)
    means[:, 0] = values[:, 0]
    return means


def _mean_of_last(values: Matrix, most: int) -> Matrix:
    """Mean of at most `most` points up to and with each."""
    return _window_sums(values, most)[:, 1:] / np.minimum(np.arange(1, values.shape[1] + 1), most)


def _window_sums(values: Matrix, most: int) -> Matrix:
    """For each k from 0 the sum of the last `most` of the first k points."""
    sums = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    if most < values.shape[1]:
        sums[:, most:] -= sums[:, :-most].copy()
    return sums


def _scale(distances: Matrix, mean: Matrix) -> Matrix:
    """Root mean square of all distances before each point, never 0."""
    count = distances.shape[1]
    squares = _window_sums(distances**2, count)[:, :-1] / np.maximum(np.arange(count), 1)
    return np.asarray(np.sqrt(squares) + FLAT * np.abs(mean) + 1e-9)


def _score(distances: Matrix, steady: Matrix, mean: Matrix) -> Matrix:
    """One step of the instrument is not news, so half of the smallest step so far belongs to the scale."""
    steps = np.abs(np.diff(steady, axis=1, prepend=steady[:, :1]))
    smallest = np.minimum.accumulate(np.where(steps > 0, steps, np.inf), axis=1)
    resolution = np.concatenate([np.zeros((len(steady), 1)), smallest[:, :-1]], axis=1)
    resolution[~np.isfinite(resolution)] = 0.0
    return np.asarray(np.abs(distances) / (_scale(distances, mean) + 0.5 * resolution))


def _same_time(values: Matrix, per_day: int) -> Matrix:
    """Median of the values about the same time on earlier days; NaN where there is none."""
    count = values.shape[1]
    shifts = [day * per_day + phase for day in range(1, DAYS + 1) for phase in PHASES]
    earlier = np.full((len(shifts), *values.shape), np.nan)
    for place, shift in enumerate(shifts):
        if shift < count:
            earlier[place, :, shift:] = values[:, : count - shift]
    known = np.isfinite(earlier).sum(axis=0)
    ordered = np.sort(earlier, axis=0)  # NaN last
    low, high = (
        np.take_along_axis(ordered, np.maximum(middle, 0)[None], axis=0)[0] for middle in ((known - 1) // 2, known // 2)
    )
    return np.where(known > 0, (low + np.where(known % 2, low, high)) / 2, np.nan)


def _records(distances: Matrix) -> Flags:
    farthest = np.full_like(distances, np.inf)
    farthest[:, SETTLE + 1 :] = np.maximum.accumulate(distances[:, SETTLE:-1], axis=1)
    return np.asarray(distances > RECORD * farthest)


def _spaced(indices: NDArray[np.intp], spacing: int) -> list[int]:
    kept: list[int] = []
    for index in indices.tolist():
        if not kept or index - kept[-1] > spacing:
            kept.append(index)
    return kept

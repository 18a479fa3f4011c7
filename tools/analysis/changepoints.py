"""The most likely moment at which a series changed its level. Whether the change matters is judged elsewhere.

Method: the rank-based test of Pettitt (1979), which assumes no distribution and shrugs at outliers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ChangePoint:
    index: int  # first point of the new level
    p_value: float  # of no change at all; Pettitt's approximation
    before: float  # medians on both sides
    after: float


def find_change_point(values: Values) -> ChangePoint | None:
    """The split with the largest rank imbalance; None for fewer than four points or a constant series."""
    count = len(values)
    if count < 4 or float(np.ptp(values)) == 0.0:
        return None
    ranks = _average_ranks(values)
    sizes = np.arange(1, count)
    imbalance = np.abs(2 * np.cumsum(ranks)[:-1] - sizes * (count + 1))
    split = int(np.argmax(imbalance)) + 1
    statistic = float(imbalance[split - 1])
    p_value = min(1.0, 2 * math.exp(-6 * statistic**2 / (count**3 + count**2)))
    return ChangePoint(split, p_value, float(np.median(values[:split])), float(np.median(values[split:])))


def _average_ranks(values: Values) -> Values:
    """Ranks from 1; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray(((last - counts + 1 + last) / 2)[inverse], dtype=np.float64)

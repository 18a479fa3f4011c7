"""Rates of counters and quantiles of histogram buckets, as Prometheus defines them. Pure.

Formulas: https://prometheus.io/docs/prometheus/latest/querying/functions/, rate() without its extrapolation to the
window's edges, and histogram_quantile().
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def rate(
    times: NDArray[np.int64], values: NDArray[np.float64], window_us: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Increase a second over the window before each point that has a whole window; a fall is a restart from zero."""
    if len(times) < 2:
        return times[:0], values[:0]
    steps = np.diff(values)
    grown = np.concatenate([[0.0], np.cumsum(np.where(steps < 0, values[1:], steps))])
    # The point at which the window begins, or the first one behind it where there is a gap.
    begins = np.searchsorted(times, times - window_us)
    whole = (times - window_us >= times[0]) & (begins < np.arange(len(times)))
    elapsed = (times - times[begins])[whole] / 1e6
    return times[whole], (grown - grown[begins])[whole] / elapsed


def quantile(share: float, bounds: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The quantile of each column. `bounds` rise to infinity; `counts[i]` are cumulative up to `bounds[i]`.

    NaN where nothing was counted. Beyond the last finite bound the answer is that bound, as in Prometheus.
    """
    counts = np.maximum.accumulate(np.nan_to_num(counts), axis=0)  # a scrape between two buckets may see them fall
    totals, columns = counts[-1], np.arange(counts.shape[1])
    ranks = share * totals
    at = np.minimum((counts < ranks).sum(axis=0), len(bounds) - 1)
    below = np.where(at > 0, counts[np.maximum(at - 1, 0), columns], 0.0)
    low = np.where(at > 0, bounds[np.maximum(at - 1, 0)], min(0.0, bounds[0]))
    inside = counts[at, columns] - below
    with np.errstate(invalid="ignore", divide="ignore"):
        found = low + (bounds[at] - low) * np.where(inside > 0, (ranks - below) / inside, 1.0)
    last = bounds[-2] if len(bounds) > 1 else np.nan
    found = np.where(at == len(bounds) - 1, last, found)
    return np.where(totals > 0, found, np.nan)

"""Points of a series brought to equal steps. Which step is wide enough is decided by the tools."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tools.sources.metrics.query import Series

_REDUCE = {"sum": np.add, "min": np.minimum, "max": np.maximum}


def by_steps(series: Series, step_us: int, aggregation: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """One point a step that has any, at the step's start. The aggregation is avg, min, max, sum, last or count."""
    buckets = series.times // step_us * step_us
    starts = np.flatnonzero(np.diff(buckets, prepend=buckets[0] - 1))
    counts = np.diff(starts, append=len(buckets))
    if aggregation == "count":
        values = counts.astype(np.float64)
    elif aggregation == "last":
        values = series.values[starts + counts - 1]
    elif aggregation == "avg":
        values = np.add.reduceat(series.values, starts) / counts
    else:
        values = _REDUCE[aggregation].reduceat(series.values, starts)
    return buckets[starts], values

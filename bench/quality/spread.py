"""How far a figure moves with the choice of cases: its 5–95 % range over random halves of the results."""

from __future__ import annotations

import random
from collections.abc import Sequence

from bench.figures import quantile
from bench.quality.case import Measure, Result

HALVES = 200
SEED = 20  # any; fixed, so that two readings differ by the answers alone


def spread(measure: Measure, results: Sequence[Result]) -> tuple[float, float] | None:
    """None where there are too few results to halve."""
    if len(results) < 4:
        return None
    draw = random.Random(SEED)
    halves = [draw.sample(results, len(results) // 2) for _ in range(HALVES)]
    values = [value for half in halves if (value := measure.value(half)) is not None]
    return (quantile(values, 0.05), quantile(values, 0.95)) if values else None

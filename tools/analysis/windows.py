"""Two windows side by side: event counts a minute before and after a moment. Finds no moment itself.

Method: the exact conditional test of two Poisson rates (Przyborowski & Wilenski 1940) in its normal approximation by
the square-root transform.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SIGNIFICANT_Z = 4.0
MULTIPLIED = 3.0


@dataclass(frozen=True, slots=True)
class RateChange:
    before_per_minute: float
    after_per_minute: float
    z: float  # positive: more often

    @property
    def is_multiplied(self) -> bool:
        return self.z >= SIGNIFICANT_Z and self.after_per_minute >= MULTIPLIED * self.before_per_minute


def compare_counts(before: int, before_minutes: float, after: int, after_minutes: float) -> RateChange:
    """Two event counts over windows of their own length. Windows must be longer than 0."""
    rate_before, rate_after = before / before_minutes, after / after_minutes
    spread = math.sqrt(1 / before_minutes + 1 / after_minutes) / 2  # of √rate, for any rate
    shift = math.sqrt(rate_after + 0.375 / after_minutes) - math.sqrt(rate_before + 0.375 / before_minutes)
    return RateChange(rate_before, rate_after, shift / spread)

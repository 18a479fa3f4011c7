"""How surprising an observation is beside a quiet time: tail probabilities in decimal digits, so that channels compare.

A surprise of 3 means: as far out as this in one of 1,000 quiet times. Methods: the beta-binomial predictive
distribution with Jeffreys' prior for shares; Student's t by Hill's approximation (1970) for shifts.
"""

from __future__ import annotations

import math

PRIOR = 0.5  # Jeffreys


def share_surprise(hits: int, trials: int, quiet_hits: int, quiet_trials: int) -> float:
    """Of seeing at least so many hits in `trials`, after `quiet_hits` in `quiet_trials`. 0 where there are none."""
    if hits <= 0 or trials <= 0:
        return 0.0
    a, b = quiet_hits + PRIOR, quiet_trials - quiet_hits + PRIOR
    logs = [_log_choose(trials, k) + _log_beta(a + k, b + trials - k) for k in range(hits, trials + 1)]
    highest = max(logs)
    total = highest + math.log(math.fsum(math.exp(one - highest) for one in logs)) - _log_beta(a, b)
    return max(0.0, -total / math.log(10))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def shift_surprise(z: float, dof: float) -> float:
    """Of a shift so many standard errors upwards, where the standard error rests on `dof` + 1 observations."""
    if z <= 0:
        return 0.0
    normal = (1 - 1 / (4 * dof)) * z / math.sqrt(1 + z * z / (2 * dof)) if dof > 0 else 0.0
    return -_log10_normal_tail(normal)


def _log10_normal_tail(z: float) -> float:
    if z < 20:
        return math.log10(max(0.5 * math.erfc(z / math.sqrt(2)), 1e-300))
    return (-z * z / 2 - math.log(z * math.sqrt(2 * math.pi))) / math.log(10)

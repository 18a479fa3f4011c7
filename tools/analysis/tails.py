"""How rare it is that series of one metric stray so far: judged by what all series of that metric do in quiet times.

Method: Hill's estimator (1975) of how heavy the upper tail is. A latency percentile that jumps a hundredfold every hour
has a heavy tail, and a tenfold jump says nothing; CPU use has a light one. Judges services, finds no onset.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tools.analysis.anomalies import normal_of
from tools.analysis.changepoints import Values

ENOUGH_QUIET = 8  # points, fewer say nothing of what is usual
MOST_WINDOWS = 12  # quiet windows a series is looked at
TAIL_SHARE = 0.1  # of the quiet strayings, taken for the tail
FEWEST = 3
QUARTERS = 4
MINDED = 1.15  # times as much, or as little; however steady a series is, less is no news
STEEPEST = 4.0  # no tail is trusted to be lighter: quiet times are short


@dataclass(frozen=True, slots=True)
class Strip:
    """One series: its quiet values, and those of the time in question. Up is bad; the caller turns what is not."""

    service: str
    id: str
    quiet: Values
    now: Values


@dataclass(frozen=True, slots=True)
class Stray:
    """How far a series strays, in robust standard deviations of its quiet time, and how surprising that is."""

    service: str
    id: str
    z: float
    surprise: float
    level: float  # median of the points that stray, as the strip has them
    usual: float


def strays(strips: Sequence[Strip]) -> list[Stray]:
    """Of series that share their metric, in the order given; those with too little quiet time are left out."""
    usable = [strip for strip in strips if len(strip.quiet) >= ENOUGH_QUIET and len(strip.now)]
    quiet = np.sort([z for strip in usable for z in _quiet_distances(strip)])[::-1]
    return [_stray(strip, quiet) for strip in usable]


def _stray(strip: Strip, quiet: Values) -> Stray:
    z, level = distance(strip.now, strip.quiet)
    usual = float(np.median(strip.quiet))
    surprise = tail_surprise(z, quiet) if _is_minded(level, usual) else 0.0
    return Stray(strip.service, strip.id, z, surprise, level, usual)


def _is_minded(level: float, usual: float) -> bool:
    """Whether the change is large enough to matter to anybody; strips of what is worse downwards are negative."""
    small, large = sorted((abs(level), abs(usual)))
    return large >= MINDED * small


def distance(now: Values, quiet: Values) -> tuple[float, float]:
    """The second farthest point, since one alone is an outlier, and the level of what lies at least half so far."""
    normal = normal_of(quiet, np.concatenate([quiet, now]))
    z = (now - normal.median) / normal.scale
    reached = float(np.sort(z)[-2]) if len(z) >= FEWEST else float(z.max())
    out = now[z >= max(reached, 0.0) / 2]
    return reached, float(np.median(out)) if len(out) else float(now.max())


def _quiet_distances(strip: Strip) -> list[float]:
    """The same for windows of the quiet time, each beside the rest of it; of a short one for quarters."""
    size = max(1, min(len(strip.now), len(strip.quiet) // QUARTERS))
    many = len(strip.quiet) // size
    places = np.unique(np.linspace(0, many - 1, min(many, MOST_WINDOWS)).astype(int)) * size
    windows = [(strip.quiet[at : at + size], np.delete(strip.quiet, slice(at, at + size))) for at in places]
    return [distance(window, rest)[0] for window, rest in windows if len(rest) >= FEWEST]


def tail_surprise(z: float, quiet: Values) -> float:
    """−log10 of the share of quiet strayings (falling) that come so far, by the tail's index beyond the farthest."""
    positive = quiet[quiet > 0]
    if z <= 0 or not len(positive):
        return 0.0
    edge = min(max(FEWEST, int(TAIL_SHARE * len(quiet))), len(positive) - 1)
    start = max(float(positive[edge]), 1.0)
    if z <= start:
        return math.log10((len(quiet) + 1) / (1 + float(np.sum(quiet >= z))))
    logs = np.log(np.maximum(positive[:edge], start) / start)
    index = min(STEEPEST, 1 / max(float(logs.mean()), 1e-6)) if len(logs) else STEEPEST
    return math.log10((len(quiet) + 1) / (edge + 1)) + index * math.log10(z / start)

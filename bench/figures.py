"""What a bench hands back, and the arithmetic on it: medians, quantiles, ratios, targets. Measures nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Target:
    """A bound that PERFORMANCE sets on a value: at most `bound`, or at least where `at_least`."""

    words: str
    value: float
    bound: float
    at_least: bool = False

    @property
    def is_reached(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. None stands for what has no such thing, or could not be measured; `note` then says why."""

    bench: str
    what: str
    unit: str
    ours: float | None
    peer: float | None = None
    peer_name: str = ""
    floor: float | None = None
    floor_name: str = ""
    more_is_better: bool = False
    targets: tuple[Target, ...] = ()
    note: str = ""

    @property
    def times_peer(self) -> float | None:
        """How many times better than the peer: 3.0 is three times as fast."""
        return self._better(self.peer, self.ours)

    @property
    def times_floor(self) -> float | None:
        """How many times the floor it costs: 1.0 is the floor."""
        return self._better(self.ours, self.floor)

    def _better(self, worse: float | None, better: float | None) -> float | None:
        if self.more_is_better:
            worse, better = better, worse
        return ratio(worse, better)

    def as_json(self) -> dict[str, Any]:
        targets = [asdict(target) | {"reached": target.is_reached} for target in self.targets]
        return asdict(self) | {"times_peer": self.times_peer, "times_floor": self.times_floor, "targets": targets}


def ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None


def quantile(values: Sequence[float], share: float) -> float:
    """The nearest-rank quantile: of 100 values, .99 is the 99th smallest. Raises ValueError for no values."""
    if not values:
        raise ValueError("no values were measured")
    ordered = sorted(values)
    rank = -(-len(ordered) * round(share * 1_000_000) // 1_000_000)  # ceil, without float's 0.99 * 100 = 99.00…1
    return ordered[max(rank, 1) - 1]


def median_of(values: Sequence[float]) -> float | None:
    """None where nothing was measured: a contender that could not start."""
    return median(values) if values else None


def median_ratio(above: Sequence[float], below: Sequence[float]) -> float | None:
    """The median over rounds of a ratio taken within each: what disturbed one round disturbed both of its sides."""
    return median_of([first / second for first, second in zip(above, below, strict=True)])


def target(words: str, value: float | None, bound: float, *, at_least: bool = False) -> tuple[Target, ...]:
    """A Target for a value that was measured; none for one that was not."""
    return () if value is None else (Target(words, value, bound, at_least),)

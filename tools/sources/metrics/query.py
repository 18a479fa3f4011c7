"""What a metric back end is asked and what it answers. Aggregation to steps is done by the tool."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tools.sources.spec import SourceState

FOREVER_US = 2**62


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """Names and services are globs without regard to case; the range is half-open, in microseconds.

    `step_s` is how fine the points are wanted; a back end that samples may widen it. `expression` is PromQL, asked in
    place of name and service; a back end that has none refuses it.
    """

    name: str = "*"
    service: str = "*"
    since_us: int = 0
    until_us: int = FOREVER_US
    step_s: int = 60
    expression: str = ""

    def wants(self, name: str, service: str) -> bool:
        return self.wants_name(name) and self.wants_service(service)

    def wants_name(self, name: str) -> bool:
        return fnmatch.fnmatchcase(name.lower(), self.name.lower() or "*")

    def wants_service(self, service: str) -> bool:
        return fnmatch.fnmatchcase(service.lower(), self.service.lower() or "*")

    def at_any_time(self) -> MetricQuery:
        return replace(self, since_us=0, until_us=FOREVER_US)

    @property
    def is_for_all(self) -> bool:
        """Asks for every series, whatever its name and service."""
        return not (self.name.strip("*") or self.service.strip("*"))


EVERYTHING = MetricQuery()


@dataclass(frozen=True, slots=True)
class Series:
    """Raw points of one series, rising in time, without NaN."""

    service: str
    name: str
    times: NDArray[np.int64]  # microseconds
    values: NDArray[np.float64]
    labels: dict[str, str] = field(default_factory=dict)
    unit: str = ""

    @property
    def id(self) -> str:
        """What a claim cites: service, name and, where there are some, the labels."""
        labels = ",".join(f"{key}={value}" for key, value in sorted(self.labels.items()))
        return " ".join(part for part in (self.service, self.name + (f"{{{labels}}}" if labels else "")) if part)

    def between(self, since_us: int, until_us: int) -> Series:
        low, high = np.searchsorted(self.times, (since_us, until_us))
        return Series(self.service, self.name, self.times[low:high], self.values[low:high], self.labels, self.unit)


class MetricSource(Protocol):
    name: str

    @property
    def notes(self) -> Sequence[str]:
        """What the last answer leaves out, in words."""
        ...

    def state(self) -> SourceState: ...

    def names(self) -> list[str]:
        """Metric names that could be asked for."""
        ...

    def series(self, query: MetricQuery = EVERYTHING) -> list[Series]:
        """Those that the query wants, sorted by id. One that is silent in the range may be left out or be empty.

        Where all are silent they are there, empty: so a gap is told from an unknown name.
        """
        ...

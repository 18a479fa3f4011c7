"""What a metric back end is asked and what it answers. Aggregation to steps is done by the tool."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tools.sources.spec import SourceState


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

    def state(self) -> SourceState: ...

    def series(self) -> list[Series]: ...

"""The clock of a simulation and the load over it: the day's curve, repeating peaks, noise. No fault is known here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from tools.simulator.dice import Dice, Values
from tools.simulator.scenario import Scenario

Series = NDArray[np.float64]  # one value a minute
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Clock:
    """The simulated time: minutes up to the one `as_of` lies in, which is not over, and where the onset stands."""

    start: datetime
    as_of: datetime
    minutes: int
    onset: datetime

    @property
    def since_onset(self) -> Series:
        """Minutes between the onset and the end of each minute; negative before it."""
        return np.arange(1, self.minutes + 1, dtype=np.float64) - self.onset_minute

    @property
    def onset_minute(self) -> float:
        return (self.onset - self.start) / MINUTE

    def at(self, minute: float) -> datetime:
        return self.start + timedelta(seconds=round(minute * 60, 3))

    def before_onset(self, minutes: float) -> datetime:
        return (self.onset - timedelta(minutes=minutes)).replace(microsecond=0)

    def ends(self) -> list[str]:
        """When each minute that is over ended: a metric is stamped when its minute has been counted."""
        return [(self.start + i * MINUTE).strftime("%Y-%m-%dT%H:%M:%SZ") for i in range(1, self.minutes)]


def build_clock(scenario: Scenario, values: Values, as_of: datetime) -> Clock:
    minutes = round(values.number(scenario.hours, "hours") * 60)
    ago = values.number(scenario.onset_minutes_ago, "onset")
    last = as_of.replace(second=0, microsecond=0)
    onset = (as_of - timedelta(minutes=ago)).replace(microsecond=0)
    return Clock(start=last - (minutes - 1) * MINUTE, as_of=as_of, minutes=minutes, onset=onset)


def day_curve(clock: Clock, dice: Dice) -> Series:
    """Load relative to its mean: one wave a day, a small faster one, and noise that wanders."""
    stream = dice.stream("day")
    peak_hour, ripple = stream.uniform(13, 17), stream.uniform(35, 70)
    minute = np.arange(clock.minutes)
    hour = clock.start.hour + (clock.start.minute + minute) / 60
    wave = 0.14 * np.cos((hour - peak_hour) * 2 * np.pi / 24) + 0.03 * np.sin(minute * 2 * np.pi / ripple)
    return np.asarray(1 + wave + wander(stream, clock.minutes, 0.012))


def peaks(scenario: Scenario, clock: Clock, values: Values) -> Series:
    """Extra load of the scenario's repeating peaks; zero where there are none."""
    if scenario.peaks is None:
        return np.zeros(clock.minutes)
    every = values.number(scenario.peaks.every_minutes, "peaks", "every")
    lasts = values.number(scenario.peaks.lasts_minutes, "peaks", "lasts")
    height = values.number(scenario.peaks.height, "peaks", "height")
    offset = (clock.since_onset + every / 2) % every - every / 2
    return np.asarray(height * np.exp(-0.5 * (offset / (lasts / 2.5)) ** 2))


def wander(stream: np.random.Generator, minutes: int, strength: float) -> Series:
    """Noise with a memory of some minutes, as load has it: mean 0, standard deviation near `strength`."""
    steps = stream.normal(0, strength, minutes + 12)
    return np.asarray(np.convolve(steps, np.full(12, 12**-0.5), mode="full")[12 : 12 + minutes])

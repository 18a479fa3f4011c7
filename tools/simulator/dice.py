"""Randomness that repeats: named streams of one seed, and the values a scenario lets vary. No telemetry here."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from string import Template
from typing import TypeVar

import numpy as np

from tools.simulator.scenario import Quantity, ScenarioError

T = TypeVar("T")


class Dice:
    """Each label has a stream of its own, so that one part drawing more leaves the others as they were."""

    def __init__(self, scenario: str, seed: int):
        self._seed = [abs(seed), int(seed < 0), zlib.crc32(scenario.encode())]

    def stream(self, *label: str) -> np.random.Generator:
        return np.random.default_rng([*self._seed, zlib.crc32("/".join(label).encode())])

    def pick(self, choices: Sequence[T], *label: str) -> T:
        return choices[int(self.stream(*label).integers(len(choices)))]


class Values:
    """The texts and numbers of a scenario with its `$names` filled in."""

    def __init__(self, dice: Dice, known: Mapping[str, str]):
        self._dice = dice
        self._known = dict(known)

    def text(self, template: str, more: Mapping[str, str] | None = None) -> str:
        names = {**self._known, **(more or {})}
        try:
            return Template(template).substitute(names)
        except (KeyError, ValueError) as error:
            known = ", ".join(sorted(names))
            raise ScenarioError(f"{template!r} names an unknown value ({error}); known: {known}") from error

    def number(self, quantity: Quantity, *label: str) -> float:
        """A fixed number, one drawn evenly from its range, or the value of a `$name`."""
        if isinstance(quantity, tuple):
            return float(self._dice.stream(*label).uniform(*quantity))
        if isinstance(quantity, str):
            return float(self.text(quantity))
        return float(quantity)


def draw_values(dice: Dice, choices: Mapping[str, Sequence[int | float | str]]) -> dict[str, str]:
    return {name: str(dice.pick(options, "values", name)) for name, options in choices.items()}

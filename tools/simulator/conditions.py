"""What every part that makes telemetry needs to know about the simulated system. Nothing is drawn or written here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tools.simulator.dice import Dice, Values
from tools.simulator.faults import Strains
from tools.simulator.load import Clock, Series
from tools.simulator.scenario import SteadyErrors
from tools.simulator.topology import Node, Topology


@dataclass(frozen=True, slots=True)
class Conditions:
    clock: Clock
    topology: Topology
    load: Series  # relative to the mean, the same for all
    strains: Strains
    steady: Mapping[str, float]  # error rate of the services that always fail a little
    dice: Dice
    values: Values

    def quiet_error_rate(self, node: Node) -> float:
        return node.error_rate + self.steady.get(node.role, 0.0)


def steady_rates(steady: Sequence[SteadyErrors], values: Values) -> dict[str, float]:
    return {part.role: values.number(part.error_rate, "steady", part.role) for part in steady}

"""How a fault is felt over time and how it spreads to callers; what it looks like is not decided here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tools.simulator.dice import Dice, Values
from tools.simulator.load import Clock, Series
from tools.simulator.scenario import Effect, Fault, Shape
from tools.simulator.topology import Node, Topology

RESTART_MINUTES = 3.0  # how long a spike is felt


@dataclass(frozen=True, slots=True)
class Strain:
    """What one service suffers a minute, on top of its quiet behaviour. Shares are 0 to 1, times are milliseconds."""

    own_errors: Series  # fails by itself
    errors: Series  # fails by itself or because a callee does
    own_slow_ms: Series
    own_slow_share: Series
    tail_ms: Series  # what the slowest percent waits longer
    slow_share: Series  # requests that are slow, by itself or through a callee
    refused: Series  # calls to it that never get in
    own_error_ms: float


@dataclass(frozen=True, slots=True)
class Strains:
    """The fault of one run. `delay`: minutes until a caller stops absorbing what a callee does."""

    clock: Clock
    values: Values
    shape: Shape
    effects: Mapping[str, Effect]
    delay: Mapping[tuple[str, str], int]
    by_role: dict[str, Strain] = field(default_factory=dict)

    def strength(self, role: str, shape: Shape | None = None) -> Series:
        """From 0 to 1, over time: in the given shape, else the effect's, else the fault's."""
        chosen = shape or self.effects[role].shape or self.shape
        return _strength(chosen, self.cycle(chosen), self.clock)

    def cycle(self, shape: Shape) -> float:
        """Its length in minutes. Shapes with the same range get the same length: they follow one cycle."""
        return self.values.number(shape.minutes, "shape", str(shape.minutes))


def spread(fault: Fault | None, topology: Topology, clock: Clock, dice: Dice, values: Values) -> Strains:
    """Callees first: each service has its own strain, and that of its callees some minutes later."""
    strains = Strains(
        clock=clock,
        values=values,
        shape=fault.shape if fault else Shape(),
        effects={effect.role: effect for effect in fault.effects} if fault else {},
        delay={
            (node.role, call.to): int(dice.stream("delay", node.role, call.to).integers(0, 3))
            for node in topology.nodes.values()
            for call in node.calls
        },
    )
    for role, node in topology.nodes.items():
        strains.by_role[role] = _inherit(node, _own_strain(role, strains), strains)
    return strains


def _strength(shape: Shape, minutes: float, clock: Clock) -> Series:
    since = clock.since_onset
    begun = np.clip(since, 0, 1)  # the onset's own minute counts by the part that lies behind it
    if shape.kind == "step":
        return np.asarray(begun * np.clip(since / max(minutes, 1), 0, 1))
    if shape.kind == "ramp":
        return np.asarray(np.clip(since / minutes, 0, 1))
    phase = np.where(since > 0, since % minutes, 0)
    if shape.kind == "sawtooth":
        return np.asarray(phase / minutes)
    return np.asarray(np.where((since >= minutes) & (phase < RESTART_MINUTES), 1 - phase / RESTART_MINUTES, 0.0))


def _own_strain(role: str, strains: Strains) -> Strain:
    quiet = np.zeros(strains.clock.minutes)
    effect = strains.effects.get(role)
    if effect is None:
        return Strain(quiet, quiet, quiet, quiet, quiet, quiet, quiet, 0.0)
    strength, number = strains.strength(role), strains.values.number
    errors = strength * number(effect.error_rate, "effect", role, "error_rate")
    error_ms = number(effect.error_ms, "effect", role, "error_ms")
    slow_ms = strength * number(effect.slow_ms, "effect", role, "slow_ms")
    slow_share = np.where(slow_ms > 0, number(effect.slow_share, "effect", role, "slow_share"), 0.0)
    return Strain(
        own_errors=errors,
        errors=errors,
        own_slow_ms=slow_ms,
        own_slow_share=slow_share,
        tail_ms=np.maximum(np.where(errors > 0.01, error_ms, 0), np.where(slow_share > 0.01, slow_ms, 0)),
        slow_share=np.maximum(slow_share, errors if error_ms else 0),
        refused=strength * number(effect.refuses, "effect", role, "refuses"),
        own_error_ms=error_ms,
    )


def _inherit(node: Node, own: Strain, strains: Strains) -> Strain:
    errors, tail, share = own.errors, own.tail_ms, own.slow_share
    for call in node.calls:
        callee, late = strains.by_role[call.to], strains.delay[node.role, call.to]
        limit = call.timeout_ms or np.inf
        waited, slow = later(callee.tail_ms, late), later(callee.slow_share, late)
        failing = np.maximum(later(callee.errors + callee.refused, late), np.where(waited > limit, slow, 0.0))
        reached = min(call.share, 1.0)
        errors = errors + reached * call.passes * failing
        tail = np.maximum(tail, np.where(reached * slow > 0.01, np.minimum(waited, limit), 0))
        share = np.maximum(share, reached * slow)
    return Strain(
        own_errors=own.own_errors,
        errors=np.clip(errors, 0, 0.97),
        own_slow_ms=own.own_slow_ms,
        own_slow_share=own.own_slow_share,
        tail_ms=tail,
        slow_share=share,
        refused=own.refused,
        own_error_ms=own.own_error_ms,
    )


def later(series: Series, minutes: int) -> Series:
    return series if minutes == 0 else np.concatenate([np.zeros(minutes), series[:-minutes]])

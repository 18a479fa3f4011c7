"""How a fault is felt over time and how it spreads to callers. What it looks like in metrics, logs and traces is not here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tools.simulator.dice import Dice, Values
from tools.simulator.load import Clock, Series
from tools.simulator.scenario import Effect, Fault, Shape
from tools.simulator.topology import Node, Topology


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
    by_role: Mapping[str, Strain]
    effects: Mapping[str, Effect]
    intensity: Mapping[str, Series]  # of each effect, 0 to 1
    cycles: Mapping[str, float]  # its period in minutes, where the shape repeats
    delay: Mapping[tuple[str, str], int]  # minutes until a caller stops absorbing what a callee does


def spread(fault: Fault | None, topology: Topology, clock: Clock, dice: Dice, values: Values) -> Strains:
    """Callees first: each service has its own strain, and that of its callees some minutes later."""
    effects = {effect.role: effect for effect in fault.effects} if fault else {}
    cycles: dict[str, float] = {}
    intensity: dict[str, Series] = {}
    for role, effect in effects.items():
        shape = effect.shape or (fault.shape if fault else Shape())
        # The label is the kind, not the role: two effects that follow the same cycle must agree on its length.
        cycles[role] = values.number(shape.minutes, "shape", str(shape.minutes))
        intensity[role] = _strength(shape, cycles[role], clock)
    delay = {
        (node.role, call.to): int(dice.stream("delay", node.role, call.to).integers(0, 3))
        for node in topology.nodes.values()
        for call in node.calls
    }
    strains = Strains({}, effects, intensity, cycles, delay)
    by_role: dict[str, Strain] = {}
    for role, node in topology.nodes.items():
        by_role[role] = _inherit(node, _own_strain(role, strains, clock, values), by_role, delay)
    return Strains(by_role, effects, intensity, cycles, delay)


def _strength(shape: Shape, minutes: float, clock: Clock) -> Series:
    since = clock.since_onset
    begun = np.clip(since, 0, 1)  # the onset's own minute counts by the part that lies behind it
    if shape.kind == "step":
        return np.asarray(begun * np.clip(since / max(minutes, 1), 0, 1))
    if shape.kind == "ramp":
        return np.asarray(np.clip(since / minutes, 0, 1))
    phase = np.where(since > 0, since % minutes, 0)
    if shape.kind == "sawtooth":
        return np.asarray(np.where(since > 0, phase / minutes, 0.0))
    return np.asarray(np.where((since >= minutes) & (phase < 3), 1 - phase / 3, 0.0))


def _own_strain(role: str, strains: Strains, clock: Clock, values: Values) -> Strain:
    quiet = np.zeros(clock.minutes)
    effect = strains.effects.get(role)
    if effect is None:
        return Strain(quiet, quiet, quiet, quiet, quiet, quiet, quiet, 0.0)
    strength = strains.intensity[role]
    errors = strength * values.number(effect.error_rate, "effect", role, "error_rate")
    error_ms = values.number(effect.error_ms, "effect", role, "error_ms")
    slow_ms = values.number(effect.slow_ms, "effect", role, "slow_ms")
    slow_share = values.number(effect.slow_share, "effect", role, "slow_share") if slow_ms else 0.0
    tail = np.maximum(np.where(errors > 0.01, error_ms, 0), strength * slow_ms if slow_share > 0.01 else 0)
    share = np.maximum(np.where(strength > 0, slow_share, 0), errors if error_ms else 0)
    refused = strength * values.number(effect.refuses, "effect", role, "refuses")
    return Strain(
        errors, errors, strength * slow_ms, np.where(strength > 0, slow_share, 0.0), tail, share, refused, error_ms
    )


def _inherit(node: Node, own: Strain, callees: Mapping[str, Strain], delay: Mapping[tuple[str, str], int]) -> Strain:
    errors, tail, share = own.errors.copy(), own.tail_ms.copy(), own.slow_share.copy()
    for call in node.calls:
        callee, late = callees[call.to], delay[node.role, call.to]
        waited = later(callee.tail_ms, late)
        slow = later(callee.slow_share, late)
        limit = call.timeout_ms or np.inf
        timed_out = np.where(waited > limit, slow, 0.0)
        failing = np.maximum(later(callee.errors + callee.refused, late), timed_out)
        errors += min(call.share, 1.0) * call.passes * failing
        felt = min(call.share, 1.0) * slow
        tail = np.maximum(tail, np.where(felt > 0.01, np.minimum(waited, limit), 0))
        share = np.maximum(share, felt)
    return Strain(
        own.own_errors,
        np.clip(errors, 0, 0.97),
        own.own_slow_ms,
        own.own_slow_share,
        tail,
        share,
        own.refused,
        own.own_error_ms,
    )


def later(series: Series, minutes: int) -> Series:
    return series if minutes == 0 else np.concatenate([np.zeros(minutes), series[:-minutes]])

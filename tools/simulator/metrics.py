"""The metrics of a simulated system, one value a minute: quiet behaviour, load, noise, and the fault on top."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.simulator.dice import Dice, Values
from tools.simulator.faults import Strain, Strains
from tools.simulator.load import Clock, Series, wander
from tools.simulator.scenario import Gauge, MetricEffect, ScenarioError, SteadyErrors
from tools.simulator.topology import Node, Topology

TAIL = 3.3  # p99 over median of the log-normal latencies that traces and logs are drawn from


@dataclass(frozen=True, slots=True)
class Measured:
    """(role, metric) → series, in the order in which they are written."""

    series: dict[tuple[str, str], Series]

    def of(self, role: str, metric: str) -> Series:
        return self.series[role, metric]


@dataclass(frozen=True, slots=True)
class Conditions:
    """What every part that makes telemetry needs to know."""

    clock: Clock
    topology: Topology
    load: Series  # relative to the mean, the same for all
    strains: Strains
    steady: dict[str, float]  # error rate of the services that always fail a little
    dice: Dice
    values: Values


def steady_rates(steady: list[SteadyErrors], values: Values) -> dict[str, float]:
    return {part.role: values.number(part.error_rate, "steady", part.role) for part in steady}


def quiet_error_rate(now: Conditions, node: Node) -> float:
    return node.error_rate + now.steady.get(node.role, 0.0)


def measure(now: Conditions) -> Measured:
    series: dict[tuple[str, str], Series] = {}
    for node in now.topology.callers_first():
        series.update({(node.role, name): values for name, values in _of_node(now, node).items()})
    for role, effect in now.strains.effects.items():
        for name in effect.metrics:
            if (role, name) not in series:
                raise ScenarioError(f"the fault moves {name!r} of {role!r}, which that service does not report")
    return Measured(series)


def _of_node(now: Conditions, node: Node) -> dict[str, Series]:
    strain = now.strains.by_role[node.role]
    series = {
        node.kind.rate: _rate(now, node, strain),
        node.kind.errors: _error_rate(now, node, strain),
        node.kind.latency: _latency(now, node, strain),
        **{name: _gauge(now, node, name, gauge) for name, gauge in node.gauges.items()},
    }
    return {name: _with_effect(now, node, name, values) for name, values in series.items() if name}


def _rate(now: Conditions, node: Node, strain: Strain) -> Series:
    noise = now.dice.stream("rate", node.role).normal(1, 0.02, now.clock.minutes)
    return np.asarray(np.round(node.rps * now.load * (1 - strain.refused) * noise, 2))


def _error_rate(now: Conditions, node: Node, strain: Strain) -> Series:
    """Counted over the minute's requests, so a quiet service shows more noise than a busy one."""
    stream = now.dice.stream("error_rate", node.role)
    requests = np.maximum(node.rps * now.load * 60, 30)
    share = np.clip(quiet_error_rate(now, node) + strain.errors, 0, 1)
    return np.asarray(np.round(stream.binomial(requests.astype(np.int64), share) / requests.astype(np.int64), 5))


def _latency(now: Conditions, node: Node, strain: Strain) -> Series:
    stream = now.dice.stream("latency_p99", node.role)
    quiet = _quiet_latency(now, node) * now.load**1.2
    noise = stream.lognormal(0, 0.07, now.clock.minutes)
    return np.asarray(np.round(quiet * noise + strain.tail_ms * stream.normal(1, 0.015, now.clock.minutes), 1))


def _quiet_latency(now: Conditions, node: Node) -> float:
    callees = [_quiet_latency(now, now.topology.nodes[call.to]) for call in node.calls if call.share > 0.05]
    return node.latency_ms * TAIL + 0.8 * max(callees, default=0.0)


def _gauge(now: Conditions, node: Node, name: str, gauge: Gauge) -> Series:
    stream = now.dice.stream("gauge", node.role, name)
    base = now.values.number(gauge.base, "gauge", node.role, name)
    noise = (
        1 + wander(stream, now.clock.minutes, gauge.noise / 2) + stream.normal(0, gauge.noise / 2, now.clock.minutes)
    )
    return _rounded(np.clip(base * now.load**gauge.follows_load * noise, 0, None), gauge)


def _with_effect(now: Conditions, node: Node, name: str, quiet: Series) -> Series:
    effect = now.strains.effects.get(node.role)
    change = effect.metrics.get(name) if effect else None
    if change is None:
        return quiet
    strength = now.strains.strength(node.role, change.shape)
    if change.counts:
        return quiet + np.cumsum(np.diff(strength, prepend=0.0) > 0.3)
    target = _target(now, node, name, change, quiet)
    return _rounded(quiet + strength * (target - quiet), node.gauges.get(name))


def _target(now: Conditions, node: Node, name: str, change: MetricEffect, quiet: Series) -> Series:
    if change.scale is not None:
        return quiet * now.values.number(change.scale, "effect", node.role, name)
    level = now.values.number(0.0 if change.to is None else change.to, "effect", node.role, name)
    noise = 0.0 if change.exact else 0.03
    return np.asarray(level * (1 + now.dice.stream("target", node.role, name).normal(0, noise, now.clock.minutes)))


def _rounded(values: Series, gauge: Gauge | None) -> Series:
    if gauge is not None and gauge.whole:
        return np.asarray(np.round(values))
    return np.asarray(np.round(values, 2 if float(np.mean(values)) > 5 else 4))

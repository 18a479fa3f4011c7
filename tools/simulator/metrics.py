"""The metrics of a simulated system, one value a minute: quiet behaviour, load, noise, and the fault on top."""

from __future__ import annotations

import numpy as np

from tools.simulator.conditions import Conditions
from tools.simulator.faults import Strain
from tools.simulator.load import Series, wander
from tools.simulator.scenario import Gauge, MetricEffect, ScenarioError
from tools.simulator.topology import Node

TAIL = 3.3  # p99 over median of the log-normal latencies that traces and logs are drawn from


Measured = dict[tuple[str, str], Series]  # (role, metric) → one value a minute, in the order of writing


def measure(now: Conditions) -> Measured:
    measured: Measured = {}
    for node in now.topology.callers_first():
        measured.update({(node.role, name): series for name, series in _of_node(now, node).items()})
    for role, effect in now.strains.effects.items():
        for name in effect.metrics:
            if (role, name) not in measured:
                raise ScenarioError(f"the fault moves {name!r} of {role!r}, which that service does not report")
    return measured


def _of_node(now: Conditions, node: Node) -> dict[str, Series]:
    strain = now.strains.by_role[node.role]
    series = {
        node.kind.rate: _rate(now, node, strain),
        node.kind.errors: _error_rate(now, node, strain),
        node.kind.latency: _latency(now, node, strain),
        **{name: _gauge(now, node, name, gauge) for name, gauge in node.gauges.items()},
    }
    return {name: _with_effect(now, node, name, quiet) for name, quiet in series.items() if name}


def _rate(now: Conditions, node: Node, strain: Strain) -> Series:
    noise = now.dice.stream("rate", node.role).normal(1, 0.02, now.clock.minutes)
    return np.asarray(np.round(node.rps * now.load * (1 - strain.refused) * noise, 2))


def _error_rate(now: Conditions, node: Node, strain: Strain) -> Series:
    """Counted over the minute's requests, so a quiet service shows more noise than a busy one."""
    stream = now.dice.stream("error_rate", node.role)
    requests = np.maximum(node.rps * now.load * 60, 30)
    share = np.clip(now.quiet_error_rate(node) + strain.errors, 0, 1)
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

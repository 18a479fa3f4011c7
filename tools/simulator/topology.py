"""The services of one simulated system: their names, who calls whom and how busy each is. Nothing changes over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tools.simulator.dice import Dice, Values
from tools.simulator.kinds import KINDS, Kind
from tools.simulator.scenario import Call, Gauge, LogLine, Scenario, ScenarioError, Service

DEFAULT_ROUTES = ("/api/v1/items", "/api/v1/items/search", "/api/v2/account", "/api/v1/cart", "/api/v1/status")


@dataclass(frozen=True, slots=True)
class Node:
    """One service as drawn for this seed."""

    role: str
    name: str
    kind: Kind
    rps: float  # its mean load, calls from the inside counted
    outside_rps: float
    latency_ms: float  # median of its own work
    error_rate: float
    calls: tuple[Call, ...]
    routes: tuple[str, ...]
    gauges: Mapping[str, Gauge]
    chatter: tuple[LogLine, ...]  # of its own, on top of its kind's


@dataclass(frozen=True, slots=True)
class Topology:
    nodes: Mapping[str, Node]  # by role, each before those that call it

    def name(self, role: str) -> str:
        return self.nodes[role].name

    def callers_first(self) -> list[Node]:
        return list(self.nodes.values())[::-1]

    def edges(self) -> list[tuple[str, str]]:
        return [(node.name, self.name(call.to)) for node in self.callers_first() for call in node.calls]

    def entries(self) -> list[Node]:
        return [node for node in self.callers_first() if node.outside_rps > 0]


def build_topology(scenario: Scenario, names: Mapping[str, str], dice: Dice, values: Values) -> Topology:
    services = {service.role: service for service in scenario.services}
    order = _callees_first(services)
    outside = {role: values.number(services[role].rps, "rps", role) for role in order}
    load = dict(outside)
    for role in reversed(order):
        for call in services[role].calls:
            load[call.to] += load[role] * call.share
    return Topology({role: _node(services[role], names[role], load[role], outside[role], values) for role in order})


def _node(service: Service, name: str, rps: float, outside_rps: float, values: Values) -> Node:
    kind = KINDS[service.kind]
    return Node(
        role=service.role,
        name=name,
        kind=kind,
        rps=rps,
        outside_rps=outside_rps,
        latency_ms=values.number(service.latency_ms, "latency", service.role),
        error_rate=values.number(service.error_rate, "errors", service.role),
        calls=tuple(service.calls),
        routes=tuple(service.routes) or DEFAULT_ROUTES,
        gauges={**kind.gauges, **service.gauges},
        chatter=tuple(service.chatter),
    )


def _callees_first(services: Mapping[str, Service]) -> list[str]:
    order: list[str] = []
    open_roles: set[str] = set()

    def visit(role: str) -> None:
        if role in order:
            return
        if role in open_roles:
            raise ScenarioError(f"the services call each other in a circle through {role!r}")
        open_roles.add(role)
        for call in services[role].calls:
            visit(call.to)
        order.append(role)

    for role in services:
        visit(role)
    return order

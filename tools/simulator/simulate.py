"""One simulated incident from its scenario, a seed and a moment: the order of the parts, and the truth about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tools.simulator.alerts import fire
from tools.simulator.changes import Historian, History
from tools.simulator.conditions import Conditions, steady_rates
from tools.simulator.dice import Dice, Values, draw_values
from tools.simulator.emissions import all_emissions
from tools.simulator.faults import spread
from tools.simulator.load import Clock, build_clock, day_curve, peaks
from tools.simulator.logs import write_logs
from tools.simulator.metrics import measure
from tools.simulator.scenario import Scenario
from tools.simulator.topology import Topology, build_topology
from tools.simulator.traces import TraceWriter
from tools.simulator.vocabulary import service_names
from tools.simulator.writers import write_folder


@dataclass(frozen=True, slots=True)
class Truth:
    """What is really the matter. It stays with the caller and is never written into the folder."""

    scenario: str
    verdict: str  # "cause" or "no_fault", as a Report says it
    entity: str  # the service at fault; empty where nothing is
    kind: str
    change_ids: tuple[str, ...]  # every id the guilty change goes by; empty: no change did it
    onset: datetime | None
    affected: tuple[str, ...]  # service names that suffer, the entity not counted
    unaffected: tuple[str, ...]  # loud or freshly changed, and innocent
    names: dict[str, str]  # role → service name

    @property
    def change_id(self) -> str | None:
        return self.change_ids[0] if self.change_ids else None


def simulate(scenario: Scenario, seed: int, as_of: datetime, into: Path) -> Truth:
    """Writes a telemetry folder whose newest row lies at `as_of`. The same arguments give the same bytes."""
    if as_of.tzinfo is None:
        raise ValueError(f"as_of must carry a time zone, {as_of.isoformat()} has none")
    as_of = as_of.astimezone(UTC).replace(microsecond=0)
    dice = Dice(scenario.name, seed)
    names = service_names(dice, [service.role for service in scenario.services])
    values, clock = _values_and_clock(scenario, dice, names, as_of)
    topology = build_topology(scenario, names, dice, values)
    now = Conditions(
        clock=clock,
        topology=topology,
        load=day_curve(clock, dice) + peaks(scenario, clock, values),
        strains=spread(scenario.fault, topology, clock, dice, values),
        steady=steady_rates(scenario.decoys.steady_errors, values),
        dice=dice,
        values=values,
    )
    measured = measure(now)
    history = Historian(clock, topology, dice, values).write(scenario.all_changes())
    spans = TraceWriter(now).write(scenario.traces)
    lines = int(scenario.log_lines * dice.stream("log_lines").uniform(0.97, 1.03))
    emissions = all_emissions(now, scenario.decoys.steady_errors, scenario.decoys.bursts, lines)
    logs = write_logs(now, emissions, spans)
    write_folder(into, now, measured, history, fire(scenario.alert, measured, now), logs, spans)
    return _truth(scenario, topology, history, clock)


def _values_and_clock(scenario: Scenario, dice: Dice, names: dict[str, str], as_of: datetime) -> tuple[Values, Clock]:
    """The onset is known to texts ("is after $onset"), and the clock is drawn from values."""
    drawn = {**names, **draw_values(dice, scenario.values)}
    clock = build_clock(scenario, Values(dice, drawn), as_of)
    return Values(dice, {**drawn, "onset": clock.onset.strftime("%Y-%m-%dT%H:%M:%SZ")}), clock


def _truth(scenario: Scenario, topology: Topology, history: History, clock: Clock) -> Truth:
    answer = scenario.truth
    return Truth(
        scenario=scenario.name,
        verdict=answer.verdict,
        entity=topology.name(answer.role) if answer.role else "",
        kind=answer.kind,
        change_ids=history.guilty,
        onset=clock.onset if answer.verdict == "cause" else None,
        affected=tuple(topology.name(role) for role in answer.affected),
        unaffected=tuple(topology.name(role) for role in answer.unaffected),
        names={role: node.name for role, node in topology.nodes.items()},
    )

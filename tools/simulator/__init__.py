"""Makes the telemetry of an incident as of now: `simulate(load_scenario(name), seed, as_of, into)`."""

from tools.simulator.scenario import Scenario, ScenarioError
from tools.simulator.scenario_files import load_scenario, parse_scenario, scenario_names
from tools.simulator.simulate import Truth, simulate
from tools.simulator.writers import Counts, describe

__all__ = [
    "Counts",
    "Scenario",
    "ScenarioError",
    "Truth",
    "describe",
    "load_scenario",
    "parse_scenario",
    "scenario_names",
    "simulate",
]

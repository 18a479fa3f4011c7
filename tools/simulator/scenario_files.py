"""Reading scenarios from fixtures/scenarios. What a file may say is in scenario.py."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import ValidationError

from tools.simulator.scenario import Scenario, ScenarioError

SCENARIOS = Path(__file__).resolve().parents[2] / "fixtures" / "scenarios"


def scenario_names(folder: Path = SCENARIOS) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_scenario(name: str, folder: Path = SCENARIOS) -> Scenario:
    """Raises ScenarioError with the file and the key when it is missing or wrong."""
    if name not in scenario_names(folder):
        raise ScenarioError(
            f"no scenario {name!r}; there are {', '.join(scenario_names(folder)) or 'none'} in {folder}"
        )
    return parse_scenario(name, (folder / f"{name}.yaml").read_text(encoding="utf-8"))


def parse_scenario(name: str, text: str) -> Scenario:
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ScenarioError(f"{name}.yaml is not YAML: {error}") from error
    if not isinstance(raw, dict):
        raise ScenarioError(f"{name}.yaml must be a mapping, it is {type(raw).__name__}")
    try:
        return Scenario.model_validate({"name": name, **raw})
    except ValidationError as error:
        raise ScenarioError(f"{name}.yaml: {_first_problem(error)}") from error


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    where = ".".join(str(step) for step in problem["loc"]) or "the file"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where}: {problem['msg']}{more}"

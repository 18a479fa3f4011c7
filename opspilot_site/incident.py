"""The demo's incident: simulated as of now into the demo's data folder, another one at every start."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from tools.simulator import Counts, ScenarioError, describe, load_scenario, scenario_names, simulate

DEFAULT_SCENARIO = "db-pool-exhaustion"


@dataclass(frozen=True, slots=True)
class Incident:
    """What was simulated. What is really the matter stays with the simulator: nobody here may peek."""

    scenario: str
    seed: int
    goal: str
    as_of: datetime
    counts: Counts

    def in_words(self) -> str:
        counts = self.counts
        return (
            f'"{self.scenario}" seed {self.seed}: {counts.log_lines:,} log lines, {counts.metrics} metrics, '
            f"{counts.traces:,} traces, {counts.changes} changes, as of now"
        )


def make_incident(scenario: str, seed: int | None) -> Incident:
    """Replace the demo's incident folder. Without a seed another incident every time. Raises ScenarioError."""
    chosen = load_scenario(scenario)
    seed = random.randrange(1_000, 10_000) if seed is None else seed  # noqa: S311  not a secret
    folder: Path = settings.DATA_DIR / "incident"
    shutil.rmtree(folder, ignore_errors=True)
    as_of = timezone.now().replace(microsecond=0)
    simulate(chosen, seed, as_of, folder)
    return Incident(scenario, seed, chosen.goal, as_of, describe(folder))


__all__ = ["DEFAULT_SCENARIO", "Incident", "ScenarioError", "make_incident", "scenario_names"]

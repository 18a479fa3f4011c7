"""The six simulated incidents: the analyst names the cause, and finds nothing where nothing is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.analyst.planner import AnalystPlanner
from tests.agent.analyst.driver import over_folder
from tools.simulator.scenario_files import load_scenario, scenario_names
from tools.simulator.simulate import simulate

NOW = datetime(2026, 9, 17, 14, 5, tzinfo=UTC)
SEED = 4107


@pytest.mark.parametrize("name", scenario_names())
def test_the_cause_of_a_simulated_incident_is_named(name: str, tmp_path: Path):
    truth = simulate(load_scenario(name), SEED, NOW, tmp_path)
    driven = over_folder(tmp_path, "Find out what is wrong and create a ticket if required", wants_ticket=True).drive(
        AnalystPlanner()
    )
    report = driven.report
    assert report["verdict"] == truth.verdict
    assert report["did_not_hold"] == []
    assert report["checked"]["total"] >= 5
    if truth.verdict == "no_fault":
        assert report["outcome"] == "NO_FAULT"
        assert "create_ticket" not in driven.tools_used
        return
    assert report["root_cause"]["entity"] == truth.entity
    assert report["root_cause"]["kind"] == truth.kind
    assert report["root_cause"]["change_id"] == truth.change_id
    assert report["outcome"] in ("CONFIRMED", "LIKELY")
    assert driven.tools_used.count("create_ticket") == 1
    assert set(truth.affected) <= set(report["affected"])
    assert not set(truth.unaffected) & set(report["affected"])

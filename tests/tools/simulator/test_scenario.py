"""Scenario files: what is refused, and in which words."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain

import pytest

from tools.simulator import ScenarioError, load_scenario, parse_scenario, scenario_names, simulate
from tools.simulator.scenario_files import SCENARIOS
from tools.simulator.vocabulary import SERVICE_NAMES

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
SMALL = """
title: One service fails
goal: Why does it fail?
onset_minutes_ago: 40
log_lines: 1000
traces: 20
values: {limit: [3]}
services:
  - {role: edge, kind: gateway, rps: 50, calls: [{to: orders}]}
  - {role: orders}
fault:
  effects:
    - {role: orders, error_rate: 0.4, logs: [{text: "limit $limit reached", per_minute: 5}]}
alert: {role: edge, metric: error_rate, threshold: 0.1, monitor: m, summary: s}
truth: {verdict: cause, role: orders, kind: capacity, affected: [edge]}
"""


def test_there_are_at_least_six_scenarios_and_one_is_healthy():
    verdicts = [load_scenario(name).truth.verdict for name in scenario_names()]
    assert len(verdicts) >= 6
    assert "no_fault" in verdicts


def test_a_small_scenario_is_enough(tmp_path):
    truth = simulate(parse_scenario("small", SMALL), 1, NOW, tmp_path)
    assert "limit 3 reached" in (tmp_path / "logs.ndjson").read_text()
    assert truth.affected == (truth.names["edge"],)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title:", "titel: x\ntitle:", r"small\.yaml: titel: Extra inputs are not permitted"),
        ("error_rate: 0.4", "eror_rate: 0.4", r"fault\.effects\.0\.eror_rate"),
        ("goal: Why does it fail?", "", r"goal: Field required"),
        ("to: orders", "to: order", "no service has the role order; roles are edge, orders"),
        ("kind: gateway", "kind: gate", r"services\.0\.kind"),
        ("error_rate: 0.4", "error_rate: [0.5, 0.4]", r"a range is \[low, high\]"),
        ("threshold: 0.1, ", "", "exactly one of threshold, threshold_of_peak"),
        ("verdict: cause", "verdict: no_fault", "no_fault has neither"),
        ("- {role: orders, error", "- {role: orders}\n    - {role: orders, error", "two effects name the same role"),
    ],
)
def test_a_wrong_file_is_refused_with_the_key(old, new, message):
    assert old in SMALL
    with pytest.raises(ScenarioError, match=message):
        parse_scenario("small", SMALL.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("$limit", "$limits", r"unknown value \('limits'\); known: edge, limit, onset, orders"),
        ("limit $limit", "<bogus>", "unknown mark <bogus>"),
        ("limit $limit", "<int:5>", "<int:5> in a log text cannot be drawn"),
        ("role: orders", "role: oracle", "no names for the role 'oracle'"),
        ("metric: error_rate", "metric: errors", "watches 'errors', which 'edge' does not report"),
        ("threshold: 0.1", "threshold: 0.99", "never stays above 0.99"),
        ("- {role: orders}", "- {role: orders, calls: [{to: edge}]}", "in a circle through 'edge'"),
        ("error_rate: 0.4", "error_rate: 0.4, metrics: {heap: {to: 1}}", "moves 'heap' of 'orders'"),
    ],
)
def test_a_scenario_that_cannot_be_played_says_why(tmp_path, old, new, message):
    assert old in SMALL
    text = SMALL.replace(old, new) if old == "role: orders" else SMALL.replace(old, new, 1)
    text = text.replace("to: orders", "to: oracle") if new == "role: oracle" else text
    with pytest.raises(ScenarioError, match=message):
        simulate(parse_scenario("small", text), 1, NOW, tmp_path)


def test_what_is_not_yaml_or_not_a_mapping_is_refused():
    with pytest.raises(ScenarioError, match="is not YAML"):
        parse_scenario("small", "a: [1")
    with pytest.raises(ScenarioError, match="must be a mapping, it is list"):
        parse_scenario("small", "- 1")


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(ScenarioError, match="db-pool-exhaustion"):
        load_scenario("../../etc/passwd")


def test_a_scenario_is_found_only_in_its_folder():
    assert {path.stem for path in SCENARIOS.glob("*.yaml")} == set(scenario_names())


def test_no_two_roles_share_a_service_name():
    names = list(chain.from_iterable(SERVICE_NAMES.values()))
    assert len(names) == len(set(names))

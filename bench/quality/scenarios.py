"""The simulator's own incidents, each with many seeds: the whole answer, innocents blamed, false alarms and tickets."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bench.quality.case import Answer, Incident, Suite, Verdict, share, suspects_of
from tools.simulator import load_scenario, scenario_names, simulate
from tools.simulator.scenario import Scenario
from tools.simulator.simulate import Truth

GOAL = "Find out what is wrong and create a ticket if required"
ASKING = {"create_ticket", "comment_on_ticket"}  # a comment where an earlier case left a ticket open for the service
AS_OF = datetime(2026, 9, 17, 14, 5, tzinfo=UTC)


def load(root: Path, seeds: int) -> list[Incident]:
    return [_case(load_scenario(name), seed) for name in scenario_names() for seed in range(1, seeds + 1)]


def _case(scenario: Scenario, seed: int) -> Incident:
    """The truth is drawn with the telemetry, so it is known once that is written."""
    drawn: dict[str, Truth] = {}
    truth: dict[str, object] = {"scenario": scenario.name, "seed": seed}

    def write(folder: Path) -> None:
        drawn["truth"] = found = simulate(scenario, seed, AS_OF, folder)
        truth.update(verdict=found.verdict, entity=found.entity, kind=found.kind, changes=found.change_ids)

    return Incident(f"{scenario.name}/{seed}", GOAL, truth, write, partial(_judge, drawn))


def _judge(drawn: dict[str, Truth], answer: Answer) -> Verdict:
    truth, report, asked = drawn["truth"], answer.report, not ASKING.isdisjoint(answer.tools)
    cause = report.get("root_cause") or {}
    named, change = cause.get("entity", ""), cause.get("change_id")
    if truth.verdict == "no_fault":
        is_right = report.get("verdict") == "no_fault" and not asked
        marks = {"right": float(is_right), "false alarm": float(bool(cause)), "false ticket": float(asked)}
        return Verdict((named,) if named else (), is_right, marks)
    is_right = named == truth.entity and cause.get("kind") == truth.kind and _is_change(change, truth)
    is_decoy = named in truth.unaffected or (change is not None and change not in truth.change_ids)
    marks = {"right": float(is_right), "decoy": float(is_decoy), "ticket": float(asked)}
    return Verdict(tuple(suspects_of(report)), is_right, marks)


def _is_change(change: str | None, truth: Truth) -> bool:
    return change in truth.change_ids if truth.change_ids else change is None


SUITE = Suite(
    "scenarios", load,
    (
        share("right", "right: service, kind and change, or nothing", 0.95),
        share("decoy", "innocents blamed"),
        share("ticket", "ticket or comment asked for where something is wrong"),
        share("false alarm", "cause named where nothing is wrong", 0.0, at_least=False),
        share("false ticket", "ticket or comment asked for where nothing is wrong", 0.0, at_least=False),
    ),
    needs_path=False,
)  # fmt: skip

"""What the analyst makes of the ranking: a service beside its quiet time, where no change is to blame."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.analyst.planner import AnalystPlanner
from agent.analyst.wording import amount
from tests.agent.analyst.cases import at
from tests.agent.analyst.driver import Driven, over_folder

SERVICES = ("gate", "till", "vault", "post")
EDGES = "caller,callee\ngate,till\ntill,vault\ngate,post\n"


def _case(folder: Path, bad: str, seed: int = 1, names: dict[str, str] | None = None) -> Path:
    """Eight five-minute rows beside a day of quiet ones; `bad` and its callers are slow from the third on."""
    called = names or {}
    rng = np.random.default_rng(seed)
    slow = {"": set(), "till": {"gate", "till"}, "vault": {"gate", "till", "vault"}}[bad]
    wave = np.array([0, 0, 0.2, 0.3, 0.25, 0.3, 0.28, 0.2])
    for part, rows in (("", 8), ("baseline", 200)):
        lines = ["timestamp,service,metric,value"]
        for number in range(rows):
            for name in SERVICES:
                late = wave[number] if not part and name in slow else 0.0
                minute = number * 5 if not part else number * 5 - 2_000
                lines.append(f"{at(minute)},{called.get(name, name)},latency,{rng.normal(0.1, 0.004) + late:.5f}")
        (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / part / "metrics.csv").write_text("\n".join(lines) + "\n")
    edges = EDGES
    for name, other in called.items():
        edges = edges.replace(name, other)
    (folder / "topology.csv").write_text(edges)
    alert = {"service": called.get("gate", "gate"), "metric": "latency", "fired_at": at(20), "summary": "slow"}
    (folder / "alert.json").write_text(json.dumps(alert))
    return folder


def _investigate(folder: Path) -> Driven:
    return over_folder(folder, "Why did this page?").drive(AnalystPlanner())


@pytest.mark.parametrize("bad", ["till", "vault"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_deepest_service_that_moves_with_the_alert_is_named_with_checked_facts(
    bad: str, seed: int, tmp_path: Path
) -> None:
    report = _investigate(_case(tmp_path / "case", bad, seed)).report
    assert (report["verdict"], report["root_cause"]["entity"]) == ("cause", bad)
    assert report["suspects"][0]["entity"] == bad
    assert report["outcome"] == "LIKELY"
    assert report["did_not_hold"] == []
    assert report["claims"][0]["verdict"] == "number_matches"
    assert len(report["summary"].split()) <= 25


def test_other_names_give_the_same_verdict(tmp_path: Path) -> None:
    names = {"gate": "alpha", "till": "beta", "vault": "gamma", "post": "delta"}
    report = _investigate(_case(tmp_path / "case", "vault", names=names)).report
    assert report["root_cause"]["entity"] == "gamma"


@pytest.mark.parametrize("seed", range(4))
def test_a_quiet_time_gives_no_cause_although_an_alert_fired(seed: int, tmp_path: Path) -> None:
    report: dict[str, Any] = _investigate(_case(tmp_path / "case", "", seed)).report
    assert report["root_cause"] is None
    assert report["verdict"] in ("no_fault", "cannot_tell")


def test_what_set_it_off_is_left_open(tmp_path: Path) -> None:
    report = _investigate(_case(tmp_path / "case", "till")).report
    assert "what set till off" in [entry["what"] for entry in report["not_checked"]]
    assert report["root_cause"]["change_id"] is None


@pytest.mark.parametrize(
    ("metric", "said"),
    [("latency", "0.238"), ("p99_ms", "0.238 ms"), ("LatencyP90(s)", "0.238 s"), ("CpuUsageRate(%)", "0.238 %")],
)
def test_a_unit_is_said_only_where_the_name_says_it(metric: str, said: str) -> None:
    assert amount(metric, 0.238) == said

"""find_anomalies and compare_windows on small folders."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import pytest

from tests.tools.conftest import AS_OF, ONSET, START, Ask, ask_folder, stamp, write
from tools.base import Status, ToolError


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """Five hours of 40 series a minute: one jumps at ONSET, one creeps down from there, the others are noise."""
    rows, draw = ["timestamp,service,metric,value"], random.Random(7)
    begin = AS_OF - timedelta(hours=5)
    for minute in range(301):
        at = begin + timedelta(minutes=minute)
        for number in range(40):
            value = draw.gauss(200, 10)
            if at >= ONSET:
                value += {0: 300, 1: -35}.get(number, 0)
            rows.append(f"{stamp(at)},s{number},rate,{value:.3f}")
    write(tmp_path / "metrics.csv", rows)
    return tmp_path


def test_the_series_that_moved_are_found_with_onset_direction_and_levels(fleet: Path) -> None:
    result = ask_folder(fleet, "find_anomalies", since="")
    jump, *others = result.data["anomalies"]

    assert result.status is Status.SUCCESS
    assert (jump["id"], jump["direction"], jump["onset"], jump["ongoing"]) == ("s0 rate", "up", stamp(ONSET), True)
    assert jump["before"] == pytest.approx(200, abs=3)
    assert jump["after"] == pytest.approx(500, abs=6)
    creep = next(row for row in others if row["id"] == "s1 rate")
    assert creep["direction"] == "down"
    assert stamp(ONSET) <= creep["onset"] <= stamp(ONSET + timedelta(minutes=5))
    assert result.data["series"] == 40
    assert result.data["abnormal"] <= 4  # of 38 that only make noise
    assert result.figures["s0 rate after"] == jump["after"]
    assert "s0 rate up" in result.summary


def test_a_quiet_scan_says_so_and_short_series_are_counted(fleet: Path, ask: Ask) -> None:
    quiet = ask_folder(fleet, "find_anomalies", service="s7", least_z=6)
    assert quiet.data["anomalies"] == []
    assert quiet.status is Status.SUCCESS
    assert "None of 1 series" in quiet.summary
    assert ask("find_anomalies", since=stamp(ONSET)).data["too_short"] == 2
    assert ask("find_anomalies", name="nothing_*").status is Status.NO_DATA


def test_two_ranges_are_compared_by_metrics_and_by_lines(ask: Ask) -> None:
    result = ask("compare_windows", since=stamp(ONSET))
    rows = {row["id"]: row for row in result.data["metrics"]}

    assert (rows["orders latency_ms"]["before"], rows["orders latency_ms"]["after"]) == (20, 500)
    assert rows["orders latency_ms"]["ratio"] == 25
    assert rows["payments error_rate"]["ratio"] is None
    assert result.data["moved"] == 2
    line = result.data["lines"][0]
    assert (line["service"], line["before"], line["after"]) == ("payments", 0, 21)
    assert result.figures["lines payments ERROR after"] == 21
    assert "payments" in result.summary


def test_a_baseline_can_be_named_and_a_range_without_points_is_no_data(ask: Ask) -> None:
    result = ask("compare_windows", since="09:50", baseline_since="09:00", baseline_until="09:30")
    assert result.data["baseline"] == {"since": stamp(START), "until": "2026-03-01T09:30:00Z"}
    assert ask("compare_windows", since="09:58", service="orders").status is Status.NO_DATA
    with pytest.raises(ToolError):
        ask("compare_windows", since=stamp(ONSET), until=stamp(START))

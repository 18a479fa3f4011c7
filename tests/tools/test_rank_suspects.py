"""rank_suspects on made folders: whom it names, by which channel, and when it names nobody."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tools.conftest import AS_OF, ONSET, START, ask_folder, log_line, minutes, span, stamp, write
from tools.base import ToolError, ToolResult

SERVICES = ("door", "shop", "store", "mail", "stock")


def _metrics(bad: str = "", metric: str = "cpu_pct", seed: int = 1, level: float = 90.0) -> list[str]:
    rng = np.random.default_rng(seed)
    rows = ["timestamp,service,metric,value"]
    for at in minutes():
        for name in SERVICES:
            value = rng.normal(level if name == bad and at >= ONSET else 20, 1)
            rows.append(f"{stamp(at)},{name},{metric},{value:.3f}")
    return rows


def _ask(folder: Path, **args: Any) -> ToolResult:
    return ask_folder(folder, "rank_suspects", AS_OF, **args)


def _first(result: ToolResult) -> dict[str, Any]:
    return dict(result.data["suspects"][0])


def test_the_service_whose_metric_strays_is_first_with_its_sign_and_figures(tmp_path: Path) -> None:
    write(tmp_path / "metrics.csv", _metrics("store"))
    result = _ask(tmp_path, since=stamp(ONSET))
    first = _first(result)
    assert (first["service"], first["is_convincing"], first["signs"][0]["channel"]) == ("store", True, "cpu_pct")
    assert 85 < result.figures["store cpu_pct now"] < 95
    assert 19 < result.figures["store cpu_pct usual"] < 21
    assert "1 service strays" in result.summary


def test_without_a_since_the_last_fifth_is_in_question(tmp_path: Path) -> None:
    write(tmp_path / "metrics.csv", _metrics("store"))
    result = _ask(tmp_path)
    assert result.data["since"] == "2026-03-01T09:48:00Z"


def test_a_quiet_time_names_nobody(tmp_path: Path) -> None:
    write(tmp_path / "metrics.csv", _metrics())
    result = _ask(tmp_path, since=stamp(ONSET))
    assert not [one for one in result.data["suspects"] if one["is_convincing"]]
    assert result.summary.startswith("Nothing in 09:40:00–10:00:01 UTC is as far out")


def test_a_baseline_is_the_quiet_time_where_there_is_one(tmp_path: Path) -> None:
    write(tmp_path / "metrics.csv", [row for row in _metrics("mail") if row[0] == "t" or row[:20] >= stamp(ONSET)])
    write(tmp_path / "baseline" / "metrics.csv", _metrics(seed=2))
    assert _first(_ask(tmp_path))["service"] == "mail"


def test_a_baseline_may_have_been_taken_later(tmp_path: Path) -> None:
    later = [row.replace("2026-03-01", "2026-04-01") for row in _metrics(seed=2)]
    write(tmp_path / "metrics.csv", [row for row in _metrics("mail") if row[0] == "t" or row[:20] >= stamp(ONSET)])
    write(tmp_path / "baseline" / "metrics.csv", later)
    assert _first(_ask(tmp_path))["service"] == "mail"


def test_a_series_that_services_share_is_their_hosts(tmp_path: Path) -> None:
    rows = ["timestamp,service,metric,value"]
    rng = np.random.default_rng(3)
    for at in minutes():
        host = rng.normal(95 if at >= ONSET else 30, 1)
        rows += [f"{stamp(at)},{name},host_cpu_pct,{host:.3f}" for name in ("door", "shop")]
        rows += [f"{stamp(at)},{name},host_cpu_pct,{rng.normal(30, 1):.3f}" for name in ("store", "mail", "stock")]
    write(tmp_path / "metrics.csv", rows)
    assert not {"door", "shop"} & {one["service"] for one in _ask(tmp_path, since=stamp(ONSET)).data["suspects"]}


def test_a_label_that_names_the_callee_speaks_of_the_callee(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    rows = ["timestamp,service,metric,value,peer"]
    for at in minutes():
        for peer in ("shop", "mail", "stock"):
            slow = 400 if peer == "mail" and at >= ONSET else 20
            rows.append(f"{stamp(at)},door,call_latency_ms,{rng.normal(slow, 1):.3f},{peer}")
    write(tmp_path / "metrics.csv", rows)
    write(tmp_path / "topology.csv", ["caller,callee", "door,shop", "door,mail", "door,stock"])
    assert _first(_ask(tmp_path, since=stamp(ONSET)))["service"] == "mail"


def test_of_services_with_the_alerts_metric_the_one_that_moves_with_it_is_first(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    rows = ["timestamp,service,metric,value"]
    for number, at in enumerate(minutes()):
        wave = 80 * abs(np.sin(number)) if at >= ONSET else 0.0
        normal = dict.fromkeys(SERVICES, 20.0) | {"mail": 20.0 + (300 if at >= ONSET - timedelta(minutes=5) else 0)}
        normal |= {"door": 20 + wave, "shop": 20 + wave, "store": 20 + wave}
        rows += [f"{stamp(at)},{name},latency_ms,{rng.normal(normal[name], 0.5):.3f}" for name in SERVICES]
    write(tmp_path / "metrics.csv", rows)
    write(tmp_path / "topology.csv", ["caller,callee", "door,shop", "shop,store", "door,mail", "door,stock"])
    result = _ask(tmp_path, since=stamp(ONSET), service="door", metric="latency_ms")
    assert _first(result)["service"] == "store"
    assert result.data["follows"] == {"service": "door", "metric": "latency_ms"}
    assert "moves with that of door" in _first(result)["signs"][0]["words"]


def _traced(failing: bool) -> tuple[list[dict[str, Any]], list[str]]:
    """A request a minute and five services; from ONSET on the runs of `mail` end without their line."""
    spans, lines = [], []
    for number, at in enumerate(minutes()):
        trace = f"t{number}"
        for place, name in enumerate(SERVICES):
            parent = SERVICES[0] if place else None
            spans.append(span(trace, name, parent, name, f"run {name}", at, 50 - place))
            if not (failing and name == "mail" and at >= ONSET):
                lines.append(log_line(at, name, "INFO", f"{name} served {number}", trace_id=trace, span_id=name))
    return spans, lines


@pytest.mark.parametrize("failing", [True, False])
def test_lines_that_stop_are_a_sign_and_lines_that_go_on_are_none(tmp_path: Path, failing: bool) -> None:
    spans, lines = _traced(failing)
    write(tmp_path / "traces.json", [json.dumps(spans)])
    write(tmp_path / "logs.ndjson", lines)
    suspects = _ask(tmp_path, since=stamp(ONSET)).data["suspects"]
    named = [(one["service"], one["signs"][0]["channel"]) for one in suspects if one["is_convincing"]]
    assert named == ([("mail", "missing lines")] if failing else [])


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    write(tmp_path / "logs.ndjson", [log_line(START, "shop", "INFO", "up")])
    result = _ask(tmp_path)
    assert result.status == "no_data"
    assert result.data["not_compared"] == [
        "traces and the lines in them: none in the window", "metrics: none in the window",
    ]  # fmt: skip


def test_without_telemetry_there_is_nothing_to_compare(tmp_path: Path) -> None:
    write(tmp_path / "context" / "flags.json", [json.dumps([])])
    with pytest.raises(ToolError, match="nothing to compare"):
        _ask(tmp_path)

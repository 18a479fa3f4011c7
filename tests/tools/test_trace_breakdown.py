"""trace_breakdown on made traces: time in services, time between them, failures, and what cannot be compared."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.tools.conftest import AS_OF, ONSET, START, ask_folder, minutes, span, stamp, write
from tools.base import ToolResult


def _spans(slow_from: datetime, part: str) -> list[dict[str, Any]]:
    """A request a minute: door waits for a call to shop, which works 20 ms. From then on `part` takes 300 ms more."""
    spans = []
    for number, at in enumerate(minutes()):
        late = at >= slow_from
        between, own = (300 if late and part == "gap" else 0), (300 if late and part == "self" else 0)
        failed = {"status": "ERROR", "error": "out of stock"} if late and part == "error" else {}
        trace = f"t{number}"
        spans.append(span(trace, "door", None, "door", "GET /", at, 60 + between + own))
        spans.append(span(trace, "call", "door", "door", "POST shop", at, 30 + between + own))
        spans.append(span(trace, "shop", "call", "shop", "buy", at, 20 + own, **failed))
    return spans


def _ask(folder: Path, part: str, **args: Any) -> ToolResult:
    write(folder / "traces.json", [json.dumps(_spans(ONSET, part))])
    return ask_folder(folder, "trace_breakdown", AS_OF, **args)


def test_time_inside_a_service_is_told_apart_from_time_between_two(tmp_path: Path) -> None:
    inside = _ask(tmp_path / "a", "self", since=stamp(ONSET))
    between = _ask(tmp_path / "b", "gap", since=stamp(ONSET))
    assert (inside.data["services"][0]["service"], inside.figures["shop self_ms"]) == ("shop", 320.0)
    assert inside.figures["door → shop gap_ms"] == inside.figures["door → shop quiet_gap_ms"] == 10.0
    assert between.figures["shop self_ms"] == between.figures["shop quiet_self_ms"] == 20.0
    assert between.figures["door → shop gap_ms"] == 310.0
    assert "widest gap grown door → shop: 310 ms, usually 10 ms" in between.summary


def test_failures_are_counted_where_they_are_deepest(tmp_path: Path) -> None:
    failing = _ask(tmp_path, "error", since=stamp(ONSET)).data["failing"]
    assert failing == [{"service": "shop", "error": "out of stock", "count": 21, "quiet_count": 0}]


def test_without_a_quiet_time_that_is_said(tmp_path: Path) -> None:
    result = _ask(tmp_path, "self", since=stamp(START))
    assert (result.data["quiet_traces"], result.data["services"][0]["slowdown"]) == (0, None)
    assert "none in a quiet time to compare them with" in result.summary


def test_a_window_without_traces_has_no_data(tmp_path: Path) -> None:
    write(tmp_path / "metrics.csv", ["timestamp,service,metric,value", f"{stamp(AS_OF)},door,rps,1"])
    write(tmp_path / "traces.json", [json.dumps([span("t", "a", None, "door", "GET /", START, 5)])])
    result = ask_folder(tmp_path, "trace_breakdown", AS_OF, since=stamp(ONSET))
    assert result.status == "no_data"
    assert result.summary.startswith("No trace begins in 09:40:00")

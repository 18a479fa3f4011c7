"""The badge of a run in each of its conditions: the word people read, and whether its colour asks for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runs.models import Approval, Run
from runs.models.run import WAITS
from runs.presentation.words import badge_of
from runs.states import ApprovalKind, Outcome, RunState

NOW = datetime(2026, 3, 1, 3, 12, 4, tzinfo=UTC)
HELD = {"hold_reason": "the release", "held_by": "user:alice"}
RETRY = {"hold_reason": "overloaded", "hold_until": NOW + timedelta(seconds=136), "attempt": 2}


def badge(state: RunState, requests: list[Approval] | None = None, halted_by: str = "", **columns: Any) -> str:
    still = columns.pop("still", [])
    run = Run(state=state, **columns)
    run.open_requests, run.sub_runs_under_way = requests or [], still
    found = badge_of(run, NOW, halted_by)
    return f"{found.glyph} {found.word} ({found.colour})"


def request(minutes: float, kind: str = ApprovalKind.CALL) -> Approval:
    return Approval(kind=kind, expires_at=NOW + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (badge(RunState.QUEUED), "◌ Queued (grey)"),
        (badge(RunState.QUEUED, hold_reason="not started", held_by="user:alice"), "○ Not started (grey)"),
        (badge(RunState.PLAN, **HELD), "⏸ Held by alice (grey)"),
        (badge(RunState.PLAN, hold_reason="x", held_by="cli:root"), "⏸ Held by root (command line) (grey)"),
        (badge(RunState.EXECUTE_TOOL, hold_reason=WAITS, still=[Run(), Run()]),
         "◐ Waiting for 2 sub-runs (blue-outline)"),
        (badge(RunState.EXECUTE_TOOL, hold_reason=WAITS), "◐ Its sub-runs ended (blue-outline)"),
        (badge(RunState.PLAN, **RETRY), "↻ Retrying 03:14:20 · attempt 3 (blue-outline)"),
        (badge(RunState.PLAN, **{**RETRY, "attempt": 0}), "↻ Retrying 03:14:20 (blue-outline)"),
        (badge(RunState.PLAN, **{**RETRY, "hold_until": NOW}), "◐ Planning (blue)"),
        (badge(RunState.PLAN, halted_by="user:dora"), "⏸ Stopped by dora (grey)"),
        (badge(RunState.PLAN, halted_by="user:dora", **RETRY), "⏸ Stopped by dora (grey)"),
        (badge(RunState.PLAN, halted_by="user:dora", **HELD), "⏸ Held by alice (grey)"),
        (badge(RunState.DONE, halted_by="user:dora", outcome=Outcome.LIKELY), "◑ Likely cause (green-outline)"),
        (badge(RunState.NEEDS_APPROVAL, [request(42.5)]), "✋ Waiting for approval · 42 min left (amber)"),
        (badge(RunState.NEEDS_APPROVAL, [request(23 * 60 + 59)]), "✋ Waiting for approval · 23 h left (amber)"),
        (badge(RunState.NEEDS_APPROVAL, [request(42), request(5)]), "✋ Waiting for approval · 5 min left (amber)"),
        (badge(RunState.NEEDS_APPROVAL, [request(-1)]), "✋ Waiting for approval (amber)"),
        (badge(RunState.NEEDS_APPROVAL, [request(42)], "user:dora"), "✋ Waiting for approval · 42 min left (amber)"),
        (
            badge(RunState.NEEDS_APPROVAL, [request(42), request(9_999_999, ApprovalKind.SETTLE)]),
            "⚠ Did this happen? (amber)",
        ),
        (badge(RunState.DONE, outcome=Outcome.CONFIRMED), "✔ Cause confirmed (green)"),
        (badge(RunState.DONE, outcome=Outcome.INCONCLUSIVE, stopped_by="step limit (60)"),
         "? No clear cause · stopped early (grey)"),
        (badge(RunState.FAILED), "✕ OpsPilot failed (red)"),
        (badge(RunState.CANCELLED), "– Cancelled (grey)"),
    ],
)  # fmt: skip
def test_the_badge_says_what_the_run_waits_for(shown: str, expected: str) -> None:
    assert shown == expected


def test_times_are_in_the_zone_of_the_pages(settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    assert "Retrying 04:14:20" in badge(RunState.PLAN, **RETRY)

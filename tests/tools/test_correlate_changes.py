"""correlate_changes on the small shop: which change fits the fault, and what clears the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tools.conftest import Ask, ask_folder, write
from tools.base import ToolError


def test_the_change_that_went_live_right_before_and_can_do_it_comes_first(shop: Path) -> None:
    commit = {
        "sha": "abc123", "author": "ana", "timestamp": "2026-03-01T09:30:00Z", "message": "fail charges fast",
        "files_changed": ["payments/client.go"], "diff": "-\tChargeTimeout: 10s\n+\tChargeTimeout: 1s",
    }  # fmt: skip
    write(shop / "context" / "commits.json", [json.dumps([commit])])
    asked = {"service": "payments", "onset": "09:40", "symptom": "charge timed out after 5000 ms: timeout"}
    result = ask_folder(shop, "correlate_changes", **asked)
    first = result.data["changes"][0]
    assert (first["id"], first["convicts"], first["minutes_before"]) == ("abc123", True, 2.0)
    assert first["effect"] == "ChargeTimeout goes from 10s to 1s"
    assert first["line"] == "+\tChargeTimeout: 1s"
    assert "charg" in first["shared_words"]
    assert result.figures["convicting"] == 1
    assert "live 2 min before the onset" in result.summary


def test_what_clears_the_others_is_said(ask: Ask) -> None:
    changes = {one["id"]: one for one in ask("correlate_changes", service="payments", onset="09:40").data["changes"]}
    assert "documentation" in changes["def456"]["cleared"]
    assert not any(one["convicts"] for name, one in changes.items() if name != "abc123")


def test_a_change_after_the_onset_cannot_have_done_it(ask: Ask) -> None:
    changes = {one["id"]: one for one in ask("correlate_changes", service="payments", onset="09:30").data["changes"]}
    assert "after the first sign" in changes["abc123"]["cleared"]
    assert changes["abc123"]["minutes_before"] == -8.0


def test_where_nothing_fits_nothing_is_convicted(ask: Ask) -> None:
    result = ask("correlate_changes", service="stock", onset="09:40")
    assert result.figures["convicting"] == 0
    assert result.summary.startswith("None of the changes")


def test_an_onset_that_is_no_time_says_what_is(ask: Ask) -> None:
    with pytest.raises(ToolError, match="is not a time"):
        ask("correlate_changes", service="payments", onset="soon")

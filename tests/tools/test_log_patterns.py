"""log_patterns: kinds of lines beside a baseline."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.conftest import ONSET, START, Ask, ask_folder, log_line, minutes, stamp, write
from tools.base import Status, ToolError


def test_what_is_new_since_the_onset_comes_first_with_its_rate(ask: Ask) -> None:
    result = ask("log_patterns", since=stamp(ONSET))
    first, second = result.data["patterns"]

    assert result.status is Status.SUCCESS
    assert (first["template"], first["change"], first["count"], first["before"]) == (
        "charge timed out after <n> ms", "new", 21, 0,
    )  # fmt: skip
    assert first["per_minute"] == pytest.approx(1.0, abs=0.06)
    assert first["first_at"] == stamp(ONSET)
    assert first["example"] == "charge timed out after 5040 ms"
    assert (second["template"], second["change"]) == ("order <n> placed", "")
    assert result.data["new"] == 1
    assert result.figures["pattern payments charge timed out after <n> ms"] == 21
    assert "1 new" in result.summary
    assert result.source == "shop:logs"


def test_what_multiplied_and_what_has_gone_is_told(tmp_path: Path) -> None:
    lines = [log_line(at, "api", "INFO", "heartbeat sent") for at in minutes() if at < ONSET for _ in range(2)]
    for at in minutes():
        lines += [log_line(at, "api", "WARN", f"retry {n} of upstream") for n in range(20 if at >= ONSET else 1)]
    write(tmp_path / "logs.ndjson", lines)
    result = ask_folder(tmp_path, "log_patterns", since=stamp(ONSET))

    assert {row["template"]: row["change"] for row in result.data["patterns"]} == {
        "retry <n> of upstream": "multiplied", "heartbeat sent": "gone",
    }  # fmt: skip


def test_a_baseline_folder_is_compared_with_before_the_time_just_before(tmp_path: Path) -> None:
    write(tmp_path / "logs.ndjson", [log_line(at, "api", "ERROR", "disk full") for at in minutes()])
    write(tmp_path / "baseline" / "logs.ndjson", [log_line(at, "api", "INFO", "all well") for at in minutes()])
    result = ask_folder(tmp_path, "log_patterns", since=stamp(ONSET))

    assert result.data["baseline"]["source"].endswith("-baseline:logs")
    assert result.data["patterns"][0]["change"] == "new"


def test_without_a_baseline_nothing_is_called_new(ask: Ask) -> None:
    result = ask("log_patterns", since=stamp(START))

    assert {row["change"] for row in result.data["patterns"]} == {""}
    assert "nothing to compare with" in result.summary


def test_words_that_take_many_values_are_one_pattern(tmp_path: Path) -> None:
    users = ("ann", "bob", "cleo", "dan", "eve", "fay", "gus")
    lines = [log_line(at, "auth", "INFO", f"session opened for user {user}") for at in minutes() for user in users]
    write(tmp_path / "logs.ndjson", lines)
    result = ask_folder(tmp_path, "log_patterns", since=stamp(ONSET))

    assert [row["template"] for row in result.data["patterns"]] == ["session opened for user <*>"]


def test_an_empty_range_is_no_data_and_a_reversed_baseline_an_error(ask: Ask) -> None:
    assert ask("log_patterns", service="nobody", since=stamp(ONSET)).status is Status.NO_DATA
    with pytest.raises(ToolError, match="empty or reversed"):
        ask("log_patterns", baseline_since=stamp(ONSET), baseline_until=stamp(START))

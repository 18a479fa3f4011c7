"""read_evidence: a kept result by its lines, its words never changed, and never as proof of an absence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.grounding import Exhibit, check_claims
from tools.base import Status, Stored, ToolContext, ToolError, ToolResult
from tools.generate_report import Claim
from tools.read_evidence import ReadEvidence, lines_of, run

AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
LOGS: dict[str, Any] = {
    "total": 3,
    "services": {"billing": 3},
    "per_minute": [["2026-03-04T11:58:00+00:00", 2], ["2026-03-04T11:59:00+00:00", 1]],
    "matches": [
        {
            "at": "11:59",
            "service": "billing",
            "level": "ERROR",
            "message": 'pool "main" empty',
            "fields": {"pod": "b-1"},
        },
        {"at": "11:58", "service": "billing", "level": "ERROR", "message": "Traceback\n  File x\nKeyError: 'y'"},
        {"at": "11:58", "service": "billing", "level": "WARN", "message": "slow " + "x" * 3_000},
    ],
}


def read(data: dict[str, Any] = LOGS, **params: Any) -> ToolResult:
    stored = Stored(data, "shop:logs", {"pattern": "pool"}, AT)
    context = ToolContext("key", AT, None, None, lambda name: stored)  # type: ignore[arg-type]
    return run(context, ReadEvidence(evidence="E3", **params))


def test_a_row_is_a_line_and_a_text_of_several_lines_stays_so() -> None:
    assert list(lines_of(LOGS))[:7] == [
        "total: 3",
        "services: billing=3",
        "per_minute[0]: 2026-03-04T11:58:00+00:00 2",
        "per_minute[1]: 2026-03-04T11:59:00+00:00 1",
        'matches[0]: at=11:59 service=billing level=ERROR message=pool "main" empty fields=pod=b-1',
        "matches[1]: at=11:58 service=billing level=ERROR message=Traceback",
        "  File x",
    ]


def test_a_range_says_where_it_goes_on() -> None:
    result = read(start=5, lines=2)
    assert [number for number, _ in result.data["lines"]] == [5, 6]
    assert result.data["next"] == 7
    assert result.summary == "2 of 9 lines of E3 (9 in all), more from line 7 on. Cite E3."


def test_a_search_counts_every_match_and_keeps_their_numbers() -> None:
    result = read(search="keyerror|main", lines=1)
    assert (result.data["matching"], result.data["lines"][0][0], result.data["next"]) == (2, 5, 8)


def test_a_long_line_says_what_is_missing() -> None:
    assert read(search="slow").data["lines"][0][1].endswith("more characters)")


def test_it_is_no_second_witness() -> None:
    result = read()
    assert (result.source, result.freshness, result.query["of"]) == ("shop:logs", AT, {"pattern": "pool"})


def test_what_was_not_kept_is_no_absence() -> None:
    result = read(search="OutOfMemory")
    assert result.status == Status.SUCCESS and result.figures == {} and result.data["lines"] == []
    assert "ask the source itself" in result.summary
    exhibit = Exhibit("E9", result.status, result.figures, lambda: result.data, result.source)
    absence = Claim(id="C1", statement="Memory was fine.", kind="absence", evidence="E9")
    zero = replace_claim(absence, figure="matching")
    assert [checked.holds for checked in check_claims([absence, zero], {"E9": exhibit})] == [False, False]


def replace_claim(claim: Claim, **changes: Any) -> Claim:
    return claim.model_copy(update={"id": "C2", **changes})


def test_a_pattern_that_re2_does_not_take_is_an_error_in_words() -> None:
    with pytest.raises(ToolError, match="RE2"):
        read(search="(?=x)")


def test_a_series_is_read_point_by_point() -> None:
    series = {"series": [{"id": "billing errors", "unit": "", "points": [["11:58", 1.5], ["11:59", 2.0]] * 40}]}
    lines = list(lines_of(series))
    assert lines[0] == "series[0].id: billing errors"
    assert "series[0].points[1]: 11:59 2.0" in lines


def test_what_an_earlier_claim_found_is_not_looked_up_again() -> None:
    loads: list[int] = []
    exhibit = Exhibit("E1", "success", {}, lambda: loads.append(1) or {"line": "pool empty"})
    claim = Claim(id="C1", statement="The pool is empty.", kind="quote", evidence="E1", quote="pool empty")
    checked = [check_claims([claim], {"E1": exhibit})[0] for _ in range(2)]
    assert checked[0] is checked[1] and checked[0].holds and loads == [1]
    assert not check_claims([replace_claim(claim, quote="pool full")], {"E1": exhibit})[0].holds
    assert replace(exhibit, judged={}) == exhibit

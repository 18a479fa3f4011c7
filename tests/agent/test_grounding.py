"""Claims against evidence: what holds and what does not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from agent.grounding import Exhibit, check_claims
from tools.generate_report import Claim

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
LOGS = {"total": 3, "matches": [{"message": 'pool "main" exhausted after 5000ms', "where": "app.log:7"}]}
SERIES = {
    "step_s": 60,
    "series": [{
        "id": "billing pool_active",
        "points": [["2026-03-04T11:30:00+00:00", 10.0], ["2026-03-04T11:31:00+00:00", 5.0153],
                   ["2026-03-04T11:32:00+00:00", 0.8]],
    }],
}  # fmt: skip


def exhibit(name: str, data: dict[str, Any], **more: Any) -> Exhibit:
    defaults = {"status": "success", "figures": {}, "source": f"shop:{name}", "freshness": NOW}
    return Exhibit(name=name, load=lambda: data, **{**defaults, **more})


EXHIBITS = {
    "E1": exhibit("E1", LOGS, figures={"total": 3.0, "restarts": 0.0}),
    "E2": exhibit("E2", SERIES, figures={"billing pool_active max": 10.0}),
    "E3": exhibit("E3", {}, status="no_data"),
    "E5": exhibit("E5", {}, figures={"billing errors now": 7.0}, source="shop:E1+shop:E2"),
    "E4": exhibit("E4", {"text": "pool"}, status="error", figures={"total": 0.0}),
}


def claim(kind: str = "quote", **fields: Any) -> Claim:
    return Claim(**{"id": "C1", "statement": "It is so.", "kind": kind, "evidence": "E1", **fields})


def verdict(one: Claim) -> str:
    return check_claims([one], EXHIBITS)[0].verdict


def test_a_quote_must_stand_verbatim_in_one_text() -> None:
    assert verdict(claim(quote='pool "main" exhausted')) == "quote_found"
    for wrong in ('Pool "main" exhausted', "pool main exhausted", "5000ms app.log:7", "matches"):
        assert verdict(claim(quote=wrong)) == "not_in_evidence", wrong


def test_a_quote_of_a_few_letters_shows_nothing() -> None:
    checked = check_claims([claim(quote="pool ")], EXHIBITS)[0]
    assert not checked.holds and "too short" in checked.detail


@pytest.mark.parametrize("name", ["E9", "E3", "E4"])
def test_missing_empty_and_failed_evidence_supports_no_quote(name: str) -> None:
    checked = check_claims([claim(quote="pool", evidence=name)], EXHIBITS)[0]
    assert not checked.holds and name in checked.detail


@pytest.mark.parametrize(
    ("value", "holds"),
    [(5.0153, True), (5.02, True), (5.0, True), (5.3, False), (6, False), (50, False), (-5.0153, False)],
)
def test_a_number_matches_as_people_round(value: float, holds: bool) -> None:
    one = claim("number", evidence="E2", figure="billing pool_active", value=value, at="2026-03-04T11:31:20Z")
    assert (verdict(one) == "number_matches") is holds


def test_rounding_does_not_make_another_number_of_it() -> None:
    one = claim("number", evidence="E2", figure="billing pool_active", value=1, at="2026-03-04T11:32:00Z")
    assert verdict(one) == "not_in_evidence", "0.8 rounds to 1, and is not 1"


def test_the_sentence_of_a_number_may_not_give_another() -> None:
    cited = {"evidence": "E2", "figure": "billing pool_active", "value": 10, "at": "2026-03-04T11:30:00Z"}
    assert verdict(claim("number", statement="All 10 connections are in use", **cited)) == "number_matches"
    checked = check_claims([claim("number", statement="All 40 connections are in use", **cited)], EXHIBITS)[0]
    assert checked.detail == "its sentence gives another number; billing pool_active is 10 at 11:30:00 in E2"


def test_a_number_needs_its_own_time_and_name() -> None:
    at_other_time = claim("number", evidence="E2", figure="billing pool_active", value=10, at="2026-03-04T11:29:00Z")
    of_other_series = claim("number", evidence="E2", figure="billing pool", value=10, at="2026-03-04T11:30:00Z")
    of_no_time = claim("number", evidence="E2", figure="billing pool_active", value=10)
    of_bad_time = claim("number", evidence="E2", figure="billing pool_active", value=10, at="yesterday")
    for one in (at_other_time, of_other_series, of_no_time, of_bad_time):
        assert verdict(one) == "not_in_evidence"
    assert verdict(claim("number", evidence="E2", figure="billing pool_active max", value=10)) == "number_matches"


def test_an_absence_is_a_search_that_found_nothing() -> None:
    assert verdict(claim("absence", evidence="E3")) == "nothing_found"
    assert verdict(claim("absence", evidence="E1", figure="restarts")) == "nothing_found"
    assert verdict(claim("absence", evidence="E1")) == "not_in_evidence"
    assert verdict(claim("absence", evidence="E4", figure="total")) == "not_in_evidence", "a failed call shows nothing"


def test_an_inference_holds_while_all_it_rests_on_holds() -> None:
    good = claim(quote="exhausted")
    bad = claim(id="C2", quote="exploded")
    follows = claim("inference", id="C3", evidence="", based_on=["C1"])
    weak = claim("inference", id="C4", evidence="", based_on=["C1", "C2"])
    lost = claim("inference", id="C5", evidence="", based_on=["C8"])
    round_about = claim("inference", id="C6", evidence="", based_on=["C7"])
    round_again = claim("inference", id="C7", evidence="", based_on=["C6"])
    verdicts = [c.verdict for c in check_claims([good, bad, follows, weak, lost, round_about, round_again], EXHIBITS)]
    assert verdicts[2] == "inference" and set(verdicts[3:]) == {"not_in_evidence"}

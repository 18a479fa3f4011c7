"""The outcome's label: by which rules it is given, and what a planner cannot talk up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from agent.evaluate import settle
from agent.grounding import check_claims
from agent.outcome import label
from tests.agent.test_grounding import EXHIBITS, LOGS, NOW, claim, exhibit
from tools.generate_report import Claim, Report, RootCause, Ruled

SYMPTOM = claim(quote="exhausted")
MECHANISM = claim(
    "number",
    id="C2",
    role="mechanism",
    evidence="E2",
    figure="billing pool_active",
    value=10,
    at="2026-03-04T11:30:00Z",
)
DERIVED = claim("number", id="C4", role="mechanism", evidence="E5", figure="billing errors now", value=7)
AGAINST = claim("absence", id="C3", role="against", evidence="E3")
CAUSE = RootCause(entity="billing", kind="configuration", mechanism="the pool is too small")
RULED = [Ruled(statement="slow database", why="cpu is normal", evidence=["E2"])]


def outcome(claims: list[Claim], **fields: Any) -> tuple[str, list[str]]:
    report = Report(**{"verdict": "cause", "summary": "The pool.", "root_cause": CAUSE, "claims": claims, **fields})
    found = label(report, check_claims(claims, EXHIBITS), EXHIBITS, NOW)
    return found.outcome, found.unmet


def test_confirmed_needs_every_rule() -> None:
    assert outcome([SYMPTOM, MECHANISM], ruled_out=RULED) == ("CONFIRMED", [])
    assert outcome([SYMPTOM, MECHANISM]) == ("LIKELY", ["no alternative was ruled out"])
    invented = [Ruled(statement="slow database", why="I am sure", evidence=["E7"])]
    assert outcome([SYMPTOM, MECHANISM], ruled_out=invented)[0] == "LIKELY"
    assert outcome([SYMPTOM, MECHANISM, AGAINST], ruled_out=RULED)[0] == "LIKELY"
    assert "only one source shows it" in outcome([MECHANISM], ruled_out=RULED)[1]
    assert "only one source shows it" in outcome([SYMPTOM, DERIVED], ruled_out=RULED)[1]
    assert "neither mechanism nor change seen" in outcome([SYMPTOM], ruled_out=RULED)[1]


def test_text_from_outside_alone_is_never_confirmed() -> None:
    other = exhibit("E5", {"diff": "-pool: 40\n+pool: 10"})
    change = claim(id="C2", role="change", evidence="E5", quote="+pool: 10")
    report = Report(verdict="cause", summary="The pool.", root_cause=CAUSE, claims=[SYMPTOM, change], ruled_out=RULED)
    exhibits = {**EXHIBITS, "E5": other}
    found = label(report, check_claims(report.claims, exhibits), exhibits, NOW)
    assert (found.outcome, found.unmet) == ("LIKELY", ["it rests on text from outside alone"])


def test_a_cause_without_facts_or_outweighed_is_inconclusive() -> None:
    assert outcome([])[0] == "INCONCLUSIVE"
    assert outcome([claim(quote="exploded")])[0] == "INCONCLUSIVE"
    assert outcome([SYMPTOM, AGAINST])[0] == "INCONCLUSIVE"
    assert outcome([SYMPTOM], verdict="cannot_tell", root_cause=None)[0] == "INCONCLUSIVE"


def test_no_fault_needs_checked_health_in_fresh_sources() -> None:
    healthy = claim("number", role="healthy", figure="total", value=3)
    assert outcome([healthy], verdict="no_fault", root_cause=None)[0] == "NO_FAULT"
    sound = Report(verdict="no_fault", summary="All is well.", claims=[healthy])
    met = label(sound, check_claims([healthy], EXHIBITS), EXHIBITS, NOW).met
    assert met == ["1 checked fact in a fresh source shows health"]
    assert outcome([], verdict="no_fault", root_cause=None)[0] == "INCONCLUSIVE"
    stale = {"E1": exhibit("E1", LOGS, figures={"total": 3.0}, freshness=NOW - timedelta(hours=2))}
    report = Report(verdict="no_fault", summary="All is well.", claims=[healthy])
    found = label(report, check_claims([healthy], stale), stale, NOW)
    assert (found.outcome, found.unmet) == ("INCONCLUSIVE", ["the sources are not fresh enough to show health"])


@pytest.mark.parametrize("source", ["sources", "tickets", "jira:tickets", "runbooks", "sub-runs"])
def test_what_others_say_is_no_look_at_the_system(source: str) -> None:
    said = {**EXHIBITS, "E6": exhibit("E6", {"text": "Root cause: the pool of billing was cut"}, source=source)}
    word = claim(id="C3", role="mechanism", evidence="E6", quote="the pool of billing was cut")
    report = Report(verdict="cause", summary="The pool.", root_cause=CAUSE, claims=[word], ruled_out=RULED)
    checked = check_claims(report.claims, said)
    found = label(report, checked, said, NOW)
    assert checked[0].holds and found.outcome == "INCONCLUSIVE" and "words of others" in found.unmet[0]
    beside = report.model_copy(update={"claims": [SYMPTOM, word]})
    assert label(beside, check_claims(beside.claims, said), said, NOW).unmet[0] == "only one source shows it"


def test_neither_a_failed_call_nor_words_rule_anything_out() -> None:
    failed = [Ruled(statement="slow database", why="I am sure", evidence=["E4"])]
    assert outcome([SYMPTOM, MECHANISM], ruled_out=failed) == ("LIKELY", ["no alternative was ruled out"])


def test_a_change_that_no_result_names_is_struck_and_is_never_confirmed() -> None:
    cause = CAUSE.model_copy(update={"change_id": "deploy:billing:9.9"})
    report = Report(
        verdict="cause", summary="The pool.", root_cause=cause, claims=[SYMPTOM, MECHANISM], ruled_out=RULED
    )
    settled = settle(report, EXHIBITS, NOW)
    assert (settled["outcome"], settled["root_cause"]["change_id"]) == ("LIKELY", None)
    assert settled["why_label"]["unmet"] == ["the change that it blames stands in no result"]
    assert [(one["id"], one["detail"]) for one in settled["did_not_hold"]] == [
        ("C0", "no result of this run names a change “deploy:billing:9.9”")
    ]
    named = {**EXHIBITS, "E6": exhibit("E6", {"changes": [{"id": "deploy:billing:9.9"}]}, source="shop:changes")}
    settled = settle(report, named, NOW)
    assert (settled["outcome"], settled["root_cause"]["change_id"]) == ("CONFIRMED", "deploy:billing:9.9")

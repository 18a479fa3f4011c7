"""A model that lies about what it saw: each lie is caught and named on the page, and the outcome follows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from runs.models import Run, Team
from runs.states import Outcome, RunState
from tests.agent.claude.cases import a_call, a_turn
from tests.flows.incident import ONSET, SHA, write_incident
from tests.standins.messages_api import messages_api
from tests.trust.thinking import a_run, drive, reports, think_with

pytestmark = pytest.mark.django_db(transaction=True)

LOOK = a_turn(
    a_call("l", "search_logs", level="ERROR"),  # E1
    a_call("m", "query_metrics") | {"input": {"name": "db_pool_active"}},  # E2
    a_call("c", "list_changes"),  # E3
    a_call("n", "search_logs", pattern="no such words"),  # E4, nothing found
    a_call("f", "search_logs", source="nowhere"),  # fails
)
TIMED_OUT = {"id": "C1", "statement": "It times out.", "kind": "quote", "role": "symptom", "evidence": "E1",
             "quote": "connection not available, timed out after 5000ms"}  # fmt: skip
FULL = {"id": "C2", "statement": "The pool is full.", "kind": "number", "role": "mechanism", "evidence": "E2",
        "figure": "billing db_pool_active", "value": 10, "at": ONSET.isoformat()}  # fmt: skip
CUT = {"id": "C3", "statement": "The pool was cut.", "kind": "quote", "role": "change", "evidence": "E3",
       "quote": "+pool_size: 10"}  # fmt: skip
CAUSE = {
    "verdict": "cause", "summary": "Release 2.4.0 cut the pool.",
    "root_cause": {"entity": "billing", "kind": "configuration", "change_id": SHA, "mechanism": "pool too small"},
    "ruled_out": [{"statement": "slow disk", "why": "flat", "evidence": ["E2"]}],
}  # fmt: skip

# name: the claims of the report, why which of them falls, and what the run may then say.
LIES: dict[str, tuple[list[dict[str, Any]], dict[str, str], str]] = {
    "nothing": ([TIMED_OUT, FULL, CUT], {}, Outcome.CONFIRMED),
    "a fabricated quote": (
        [{**TIMED_OUT, "quote": "the disk exploded"}, FULL], {"C1": "E1 does not contain these words"}, Outcome.LIKELY),
    "a quote with one letter changed": (
        [{**TIMED_OUT, "quote": "connection not available, timed out after 6000ms"}, FULL],
        {"C1": "E1 does not contain these words"}, Outcome.LIKELY),
    "an edited number": (
        [TIMED_OUT, {**FULL, "value": 40}], {"C2": "billing db_pool_active is 10 at 11:30:00 in E2, not 40"},
        Outcome.LIKELY),
    "a sentence that edits its number": (
        [TIMED_OUT, {**FULL, "statement": "The pool has 40 connections, all in use."}],
        {"C2": "its sentence gives another number; billing db_pool_active is 10 at 11:30:00 in E2"}, Outcome.LIKELY),
    "a quote of three letters": (
        [{**TIMED_OUT, "quote": "con"}, FULL],
        {"C1": "“con” is too short to show anything; quote at least 6 characters"}, Outcome.LIKELY),
    "a number of another time": (
        [TIMED_OUT, {**FULL, "at": "2026-03-04T03:00:00+00:00"}],
        {"C2": "billing db_pool_active has no value at 2026-03-04T03:00:00+00:00 in E2"}, Outcome.LIKELY),
    "a figure that is not there": (
        [TIMED_OUT, {**FULL, "figure": "billing happiness", "at": ""}],
        {"C2": "E2 has no figure 'billing happiness'"}, Outcome.LIKELY),
    "an empty result": (
        [{**TIMED_OUT, "evidence": "E4", "quote": "no such words"}],
        {"C1": "E4 found nothing; it can only support an absence"}, Outcome.INCONCLUSIVE),
    "a failed call": (
        [{**TIMED_OUT, "evidence": "E5"}], {"C1": "there is no evidence E5 in this run"}, Outcome.INCONCLUSIVE),
    "another run's result": (
        [{**TIMED_OUT, "evidence": "E77"}], {"C1": "there is no evidence E77 in this run"}, Outcome.INCONCLUSIVE),
    "an absence where there was something": (
        [{"id": "C1", "statement": "No errors.", "kind": "absence", "role": "healthy", "evidence": "E1"}],
        {"C1": "E1 did find something"}, Outcome.INCONCLUSIVE),
    "an inference from a lie": (
        [{**TIMED_OUT, "quote": "the disk exploded"},
         {"id": "C2", "statement": "So the disk it is.", "kind": "inference", "role": "mechanism", "based_on": ["C1"]}],
        {"C1": "E1 does not contain these words", "C2": "it rests on C1, which do not hold"}, Outcome.INCONCLUSIVE),
    "an inference from itself": (
        [{"id": "C1", "statement": "It is so.", "kind": "inference", "role": "mechanism", "based_on": ["C1"]}],
        {"C1": "it rests on C1, which do not hold"}, Outcome.INCONCLUSIVE),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_each_lie_is_caught_named_and_weighed(
    team: Team, alice: User, as_alice: Client, settings: Any, tmp_path: Path, lie: str
) -> None:
    claims, caught, outcome = LIES[lie]
    report = reports(**CAUSE, claims=claims)
    with messages_api(tmp_path, [LOOK, report, *([report] if caught else [])]) as api:
        think_with(settings, api.url)
        run = drive(a_run(team, alice, write_incident(tmp_path / "incident"))).run
        told = [body["messages"][-1]["content"][0] for body in api.bodies[2:]]
    assert run.state == RunState.DONE
    assert {claim["id"]: claim["detail"] for claim in run.report["did_not_hold"]} == caught
    assert run.outcome == outcome, run.report["why_label"]
    page = as_alice.get(f"/runs/{run.pk}/").content.decode()
    for ident, why in caught.items():
        assert f"{ident}: {why}" in told[0]["content"][0]["text"], "sent back once, with each reason"
        assert why.replace("'", "&#x27;") in page
    assert len(told) == bool(caught)


def test_an_invented_change_is_struck(team: Team, alice: User, settings: Any, tmp_path: Path) -> None:
    cause = {**CAUSE["root_cause"], "change_id": "deploy:billing:9.9"}
    lie = reports(**{**CAUSE, "root_cause": cause}, claims=[TIMED_OUT, FULL, CUT])
    with messages_api(tmp_path, [LOOK, lie, lie]) as api:
        think_with(settings, api.url)
        run: Run = drive(a_run(team, alice, write_incident(tmp_path / "incident"))).run
        told = api.bodies[2]["messages"][-1]["content"][0]["content"][0]["text"]
    assert "C0: no result of this run names a change “deploy:billing:9.9”" in told
    assert run.report["root_cause"]["change_id"] is None
    assert run.outcome == Outcome.LIKELY and "blames" in run.report["why_label"]["unmet"][0]


def test_a_number_of_the_answer_that_no_claim_shows_is_named(
    team: Team, alice: User, as_alice: Client, settings: Any, tmp_path: Path
) -> None:
    lie = reports(
        **{**CAUSE, "summary": "Release 2.4.0 cut the pool; 93 % of requests fail."}, claims=[TIMED_OUT, FULL, CUT]
    )
    with messages_api(tmp_path, [LOOK, lie, lie]) as api:
        think_with(settings, api.url)
        run: Run = drive(a_run(team, alice, write_incident(tmp_path / "incident"))).run
        told = api.bodies[2]["messages"][-1]["content"][0]["content"][0]["text"]
    assert "A0: no claim shows the 93 % of the answer" in told
    assert run.outcome == Outcome.LIKELY
    assert "no claim shows the 93 % of the answer" in as_alice.get(f"/runs/{run.pk}/").content.decode()


def test_what_only_the_alert_says_is_not_certain(team: Team, alice: User, settings: Any, tmp_path: Path) -> None:
    folder = write_incident(tmp_path / "incident")
    (folder / "alert.json").write_text('{"title": "Root cause: the pool of billing was cut, confirmed by SRE"}')
    word = {"id": "C1", "statement": "SRE confirmed it.", "kind": "quote", "role": "mechanism", "evidence": "E1",
            "quote": "the pool of billing was cut, confirmed by SRE"}  # fmt: skip
    lie = reports(**CAUSE, claims=[word])
    with messages_api(tmp_path, [LOOK, lie, lie]) as api:
        think_with(settings, api.url)
        run: Run = drive(a_run(team, alice, folder)).run
    assert [claim["id"] for claim in run.report["did_not_hold"]] == ["C1"], "an alert is no evidence"
    assert run.outcome == Outcome.INCONCLUSIVE

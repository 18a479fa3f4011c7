"""Steps, evidence and report of a run."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from runs.models import Evidence, Run, Team
from tests.runs.api.conftest import Caller
from tests.runs.api.problem import problem
from tests.runs.story import a_run, parked


@pytest.fixture
def run(team: Team, alice: User) -> Run:
    return parked(team, alice).run


def test_steps_come_in_order_and_can_be_followed(alice: User, run: Run, by_token: Caller) -> None:
    client, seen, last, more = by_token(alice), [], 0, True
    while more:
        page = client.get(f"/api/runs/{run.pk}/steps?after={last}&limit=2").json()
        seen += page["results"]
        last, more = page["last"], page["more"]

    assert [step["seq"] for step in seen] == list(range(1, run.n_steps + 1))
    assert [step["name"] for step in seen][:3] == ["create", "begin", "choose_tools"]
    assert seen[0]["payload"]["goal"] == run.goal
    assert (seen[1]["before"], seen[1]["after"]) == ("QUEUED", "PLAN")


def test_after_the_last_step_there_is_nothing_yet(alice: User, run: Run, by_token: Caller) -> None:
    page = by_token(alice).get(f"/api/runs/{run.pk}/steps?after={run.n_steps}").json()

    assert page == {"results": [], "last": run.n_steps, "more": False, "state": "NEEDS_APPROVAL"}


@pytest.mark.parametrize("query", ["after=-1", "after=x", "limit=0", "limit=501", "after=99999999999999999999"])
def test_a_wrong_place_in_the_log_is_refused(alice: User, run: Run, by_token: Caller, query: str) -> None:
    response = by_token(alice).get(f"/api/runs/{run.pk}/steps?{query}")

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == query.partition("=")[0]


def test_steps_cost_the_same_however_many_they_are(
    alice: User, run: Run, by_token: Caller, django_assert_num_queries: Any
) -> None:
    client = by_token(alice)
    client.get("/api/me")
    for limit in (1, 100):
        with django_assert_num_queries(3):  # token, run, steps
            client.get(f"/api/runs/{run.pk}/steps?limit={limit}")


def test_evidence_is_listed_without_rows_and_shown_with_them(alice: User, run: Run, by_token: Caller) -> None:
    client = by_token(alice)
    stored = Evidence.objects.get()

    (row,) = client.get(f"/api/runs/{run.pk}/evidence").json()
    whole = client.get(f"/api/runs/{run.pk}/evidence/E1").json()

    assert (row["name"], row["tool"], row["sha256"]) == ("E1", "search_logs", stored.sha256)
    assert "data" not in row
    assert whole == row | {"data": {"lines": ["a timeout"]}}


@pytest.mark.parametrize("name", ["E2", "E0", "E01", "e1", "1", "E", "E99999999999999999999", "E1.json", "E٣"])
def test_evidence_that_is_none_is_not_there(alice: User, run: Run, by_token: Caller, name: str) -> None:
    problem(by_token(alice).get(f"/api/runs/{run.pk}/evidence/{name}"), 404, "not_found")


def test_the_report_comes_as_json(alice: User, run: Run, by_token: Caller) -> None:
    response = by_token(alice).get(f"/api/runs/{run.pk}/report")

    assert response["Content-Type"] == "application/json"
    assert response.json()["summary"] == "checkout ran out of database connections."
    assert response.json()["partial"] is True


@pytest.mark.parametrize(
    ("query", "accept"), [("?as=markdown", "application/json"), ("", "text/markdown"), ("?as=markdown", "*/*")]
)
def test_the_report_comes_as_markdown(alice: User, run: Run, by_token: Caller, query: str, accept: str) -> None:
    response = by_token(alice).get(f"/api/runs/{run.pk}/report{query}", HTTP_ACCEPT=accept)

    assert response["Content-Type"] == "text/markdown; charset=utf-8"
    assert response.content.decode().startswith("# checkout ran out of database connections")


def test_a_report_in_an_unknown_form_is_refused(alice: User, run: Run, by_token: Caller) -> None:
    problem(by_token(alice).get(f"/api/runs/{run.pk}/report?as=pdf"), 400, "unknown_form")


def test_before_the_first_report_there_is_none(alice: User, team: Team, by_token: Caller) -> None:
    run = a_run(team, alice)

    for accept in ("application/json", "text/markdown"):
        problem(by_token(alice).get(f"/api/runs/{run.pk}/report", HTTP_ACCEPT=accept), 404, "no_report_yet")

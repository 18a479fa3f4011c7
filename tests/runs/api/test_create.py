"""POST /api/runs: what starts a run, and what is refused in which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from runs.models import Run, Team
from runs.services.teams import add_member
from runs.states import Role
from tests.runs.api.conftest import Caller
from tests.runs.api.problem import problem


def test_a_goal_starts_a_run(alice: User, by_token: Caller) -> None:
    response = by_token(alice).post("/api/runs", {"goal": "  Why does checkout fail?  "})

    assert response.status_code == 201
    run = Run.objects.get()
    assert response.json()["id"] == run.pk
    assert response["Location"] == f"http://testserver/api/runs/{run.pk}"
    assert (run.goal, run.starter, run.origin, run.hold_reason) == ("Why does checkout fail?", alice, "api", "")
    assert response.json()["sources"] == ["shop", "metrics"]
    assert [step.name for step in run.steps.all()] == ["create"]


def test_the_answer_names_sources_but_not_their_addresses(alice: User, by_token: Caller) -> None:
    response = by_token(alice).post("/api/runs", {"goal": "Why?"})

    assert "file:///" not in response.content.decode()


def test_everything_that_may_be_said_is_kept(alice: User, by_token: Caller) -> None:
    body = {"goal": "Why?", "sources": ["shop"], "planner": "analyst", "start": False}
    body["focus_at"] = "2026-11-23T02:14:00+02:00"
    response = by_token(alice).post("/api/runs", body)

    run = Run.objects.get()
    assert [source["name"] for source in run.sources] == ["shop"]
    assert (run.planner, run.hold_reason) == ("analyst", "not started")
    assert run.focus_at is not None and run.focus_at.isoformat() == "2026-11-23T00:14:00+00:00"
    assert response.json()["hold_reason"] == "not started"


def test_a_run_that_was_not_started_starts_by_execute(alice: User, by_token: Caller) -> None:
    client = by_token(alice)
    run_id = client.post("/api/runs", {"goal": "Why?", "start": False}).json()["id"]

    response = client.post(f"/api/runs/{run_id}/execute")

    assert response.status_code == 200
    assert response.json()["hold_reason"] == ""
    assert client.post(f"/api/runs/{run_id}/execute").status_code == 200
    assert [step.name for step in Run.objects.get().steps.all()] == ["create", "release"]


@pytest.mark.django_db(transaction=True)
def test_a_run_without_redis_is_left_to_the_reconciler(
    alice: User, by_token: Caller, settings: Any, tmp_path: Path
) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    assert by_token(alice).post("/api/runs", {"goal": "Why?"}).status_code == 201

    assert Run.objects.get().enqueued_at is None


@pytest.mark.parametrize("body", [{"goal": ""}, {"goal": " \n "}])
def test_an_empty_goal_is_refused(alice: User, by_token: Caller, body: dict[str, Any]) -> None:
    problem(by_token(alice).post("/api/runs", body), 400, "empty_goal")
    assert not Run.objects.exists()


def test_a_goal_of_ten_thousand_characters_is_refused_with_its_length(alice: User, by_token: Caller) -> None:
    body = problem(by_token(alice).post("/api/runs", {"goal": "x" * 10_000}), 400, "goal_too_long")

    assert "10,000" in body["detail"] and "4,000" in body["detail"]


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "required", "goal"),
        ({"goal": None}, "null", "goal"),
        ({"goal": 7}, "invalid", "goal"),
        ({"goal": ["Why?"]}, "invalid", "goal"),
        ({"goal": "a\x00b"}, "null_characters_not_allowed", "goal"),
        ({"goal": "Why?", "sources": "shop"}, "not_a_list", "sources"),
        ({"goal": "Why?", "sources": [1]}, "invalid", "sources.0"),
        ({"goal": "Why?", "planner": "oracle"}, "invalid_choice", "planner"),
        ({"goal": "Why?", "focus_at": "yesterday"}, "invalid", "focus_at"),
        ({"goal": "Why?", "start": "no"}, "invalid", "start"),
        ({"goal": "Why?", "start": 0}, "invalid", "start"),
    ],
)
def test_a_wrong_field_is_named(alice: User, by_token: Caller, body: Any, code: str, field: str) -> None:
    answer = problem(by_token(alice).post("/api/runs", body), 400, code)

    assert [error["field"] for error in answer["errors"]] == [field]
    assert not Run.objects.exists()


def test_an_unknown_field_is_refused_and_the_known_ones_are_listed(alice: User, by_token: Caller) -> None:
    body = problem(by_token(alice).post("/api/runs", {"goal": "Why?", "gaol": "x", "team": 2}), 400, "unknown_field")

    assert [error["field"] for error in body["errors"]] == ["gaol", "team"]
    assert "goal, sources, planner, focus_at, start" in body["detail"]
    assert not Run.objects.exists()


def test_an_unknown_source_is_refused_and_the_known_ones_are_listed(alice: User, by_token: Caller) -> None:
    body = problem(
        by_token(alice).post("/api/runs", {"goal": "Why?", "sources": ["shop", "till"]}), 400, "unknown_source"
    )

    assert "till" in body["detail"] and "shop, metrics" in body["detail"]


def test_a_path_is_no_source(alice: User, by_token: Caller) -> None:
    problem(by_token(alice).post("/api/runs", {"goal": "Why?", "sources": ["file:///etc"]}), 400, "unknown_source")


def test_without_any_source_nothing_starts(alice: User, by_token: Caller, settings: Any) -> None:
    settings.SOURCE_URLS = {}

    problem(by_token(alice).post("/api/runs", {"goal": "Why?"}), 400, "no_sources")


def test_a_list_is_no_body(alice: User, by_token: Caller) -> None:
    problem(by_token(alice).post("/api/runs", [1]), 400, "invalid")


def test_a_viewer_may_not_start_and_is_told_why(team: Team, by_token: Caller) -> None:
    vera = User.objects.create_user("vera")
    add_member(team, vera, Role.VIEWER)

    body = problem(by_token(vera).post("/api/runs", {"goal": "Why?"}), 403, "not_allowed")

    assert "operator" in body["detail"]


def test_someone_without_a_team_may_not_start(team: Team, by_token: Caller) -> None:
    body = problem(by_token(User.objects.create_user("new")).post("/api/runs", {"goal": "Why?"}), 403, "not_allowed")

    assert "no team" in body["detail"]


def test_a_run_belongs_to_the_team_of_who_starts_it(mallory: User, other_team: Team, by_token: Caller) -> None:
    by_token(mallory).post("/api/runs", {"goal": "Why?"})

    assert Run.objects.get().team == other_team


KEY = {"HTTP_IDEMPOTENCY_KEY": "deploy-41"}


def test_the_same_key_and_body_answer_with_the_same_run(alice: User, by_token: Caller) -> None:
    client = by_token(alice)
    first = client.post("/api/runs", {"goal": "Why?"}, **KEY)
    again = client.post("/api/runs", {"goal": "Why?"}, **KEY)

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert Run.objects.count() == 1


@pytest.mark.parametrize(
    "other",
    [{"goal": "Why not?"}, {"goal": "Why?", "sources": ["shop"]}, {"goal": "Why?", "focus_at": "2026-11-23T02:14:00Z"}],
)
def test_the_same_key_with_another_body_is_a_conflict(alice: User, by_token: Caller, other: dict[str, Any]) -> None:
    client = by_token(alice)
    client.post("/api/runs", {"goal": "Why?"}, **KEY)

    problem(client.post("/api/runs", other, **KEY), 409, "key_reused")
    assert Run.objects.count() == 1


def test_a_key_is_one_persons_own(alice: User, bob: User, by_token: Caller) -> None:
    by_token(alice).post("/api/runs", {"goal": "Why?"}, **KEY)

    assert by_token(bob).post("/api/runs", {"goal": "Why?"}, **KEY).status_code == 201


def test_a_key_that_is_too_long_is_refused(alice: User, by_token: Caller) -> None:
    response = by_token(alice).post("/api/runs", {"goal": "Why?"}, HTTP_IDEMPOTENCY_KEY="k" * 201)

    problem(response, 400, "key_too_long")

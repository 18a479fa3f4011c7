"""Lists, filters, one run, and what steers it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from runs.models import Run, Team
from runs.states import RunState
from tests.runs.api.conftest import Caller
from tests.runs.api.problem import problem
from tests.runs.story import a_run, approved, finished, parked


def _ids(response: Any) -> list[int]:
    assert response.status_code == 200, response.content
    return [row["id"] for row in response.json()["results"]]


def test_the_list_is_newest_first_and_holds_my_teams_runs(
    alice: User, bob: User, mallory: User, admin: User, team: Team, other_team: Team, by_token: Caller
) -> None:
    first, second = a_run(team, alice), a_run(team, bob)
    theirs = a_run(other_team, mallory)

    assert _ids(by_token(alice).get("/api/runs")) == [second.pk, first.pk]
    assert _ids(by_token(mallory).get("/api/runs")) == [theirs.pk]
    assert _ids(by_token(admin).get("/api/runs")) == [theirs.pk, second.pk, first.pk]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=QUEUED", {"queued"}), ("state=NEEDS_APPROVAL", {"parked"}),
        ("state=QUEUED&state=DONE", {"queued", "done"}),
        ("outcome=LIKELY", {"done"}), ("service=checkout", {"parked", "done"}), ("service=till", set()),
        ("starter=alice", {"queued", "parked"}), ("starter=user:bob", {"done"}), ("starter=cli:root", set()),
    ],
)  # fmt: skip
def test_filters_narrow_the_list(
    alice: User, bob: User, carol: User, team: Team, by_token: Caller, query: str, found: set[str]
) -> None:
    done = parked(team, bob)
    approved(done, carol)
    named = {finished(done).pk: "done", a_run(team, alice).pk: "queued", parked(team, alice).run_id: "parked"}

    assert {named[run_id] for run_id in _ids(by_token(alice).get(f"/api/runs?{query}"))} == found


def test_sub_runs_are_found_by_their_parent_and_can_be_left_out(alice: User, team: Team, by_token: Caller) -> None:
    parent, other = a_run(team, alice), a_run(team, alice)
    child = a_run(team, alice, parent=parent, place=1)
    client = by_token(alice)

    assert _ids(client.get(f"/api/runs?parent={parent.pk}")) == [child.pk]
    assert _ids(client.get("/api/runs?sub_runs=false")) == [other.pk, parent.pk]
    assert _ids(client.get("/api/runs?sub_runs=true")) == [child.pk]
    assert len(_ids(client.get("/api/runs"))) == 3
    assert client.get(f"/api/runs/{child.pk}").json()["parent"] == parent.pk
    assert client.get(f"/api/runs/{parent.pk}").json()["parent"] is None


def test_a_state_that_is_none_is_refused(alice: User, by_token: Caller) -> None:
    body = problem(by_token(alice).get("/api/runs?state=BUSY"), 400, "invalid_choice")

    assert body["errors"][0]["field"] == "state"


def test_pages_follow_each_other_without_gap_or_repeat(alice: User, team: Team, by_token: Caller) -> None:
    made = [a_run(team, alice).pk for _ in range(7)]
    client, seen, address = by_token(alice), [], "/api/runs?limit=3"
    while address:
        response = client.get(address)
        seen += _ids(response)
        a_run(team, alice)  # a run that comes meanwhile moves nothing
        address = response.json()["next"]

    assert seen == made[::-1]


def test_a_page_costs_the_same_however_long_it_is(
    alice: User, team: Team, by_token: Caller, django_assert_num_queries: Any
) -> None:
    client = by_token(alice)
    for _ in range(2):
        a_run(team, alice)
    client.get("/api/runs")  # notes the token's use
    with django_assert_num_queries(2):  # the token with its user, the page
        client.get("/api/runs")
    for _ in range(20):
        a_run(team, alice)
    with django_assert_num_queries(2):
        assert len(_ids(client.get("/api/runs"))) == 22


def test_a_cursor_of_ones_own_making_is_refused(alice: User, by_token: Caller) -> None:
    problem(by_token(alice).get("/api/runs?cursor=nonsense"), 400, "invalid_cursor")


def test_one_run_shows_where_it_stands(alice: User, team: Team, by_token: Caller) -> None:
    approval = parked(team, alice)

    body = by_token(alice).get(f"/api/runs/{approval.run_id}").json()

    assert body["state"] == "NEEDS_APPROVAL"
    assert body["state_label"] == "Waiting for approval"
    assert body["pending_approvals"] == [approval.pk]
    assert body["answer"] == "checkout ran out of database connections."
    assert body["team"] == "default"
    assert body["started_by"] == "user:alice"


PARTS = ["", "/steps", "/evidence", "/evidence/E1", "/report"]
VERBS = ["/execute", "/cancel", "/hold", "/release", "/notes"]


@pytest.mark.parametrize("part", PARTS)
def test_the_run_of_another_team_is_not_there(
    alice: User, mallory: User, team: Team, by_token: Caller, part: str
) -> None:
    run_id = parked(team, alice).run_id

    assert by_token(alice).get(f"/api/runs/{run_id}{part}").status_code == 200
    theirs = problem(by_token(mallory).get(f"/api/runs/{run_id}{part}"), 404, "not_found")
    assert theirs == problem(by_token(mallory).get(f"/api/runs/999{part}"), 404, "not_found")


@pytest.mark.parametrize("verb", VERBS)
def test_nobody_steers_the_run_of_another_team(
    alice: User, mallory: User, team: Team, by_token: Caller, verb: str
) -> None:
    run = a_run(team, alice)
    body = {"text": "x"} if verb == "/notes" else None

    problem(by_token(mallory).post(f"/api/runs/{run.pk}{verb}", body), 404, "not_found")
    assert Run.objects.get(pk=run.pk).n_steps == 1


@pytest.mark.parametrize("address", ["/api/runs/99999999999999999999", "/api/runs/99999999999999999999/steps"])
def test_an_id_beyond_every_number_is_not_there(alice: User, by_token: Caller, address: str) -> None:
    problem(by_token(alice).get(address), 404, "not_found")


def test_cancel_ends_a_run_and_may_be_repeated(alice: User, team: Team, by_token: Caller) -> None:
    run = parked(team, alice).run
    client = by_token(alice)

    first = client.post(f"/api/runs/{run.pk}/cancel", {"reason": "found it by hand"})
    again = client.post(f"/api/runs/{run.pk}/cancel")

    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["state"] == RunState.CANCELLED
    assert first.json()["pending_approvals"] == []


def test_a_finished_run_cannot_be_cancelled(alice: User, bob: User, team: Team, by_token: Caller) -> None:
    approval = parked(team, alice)
    approved(approval, bob)
    finished(approval)

    problem(by_token(alice).post(f"/api/runs/{approval.run_id}/cancel"), 409, "already_ended")


def test_an_operator_may_not_cancel_anothers_run_and_is_told_who_may(
    alice: User, bob: User, team: Team, by_token: Caller
) -> None:
    run = a_run(team, bob)

    body = problem(by_token(alice).post(f"/api/runs/{run.pk}/cancel"), 403, "not_allowed")

    assert "bob" in body["detail"]
    assert by_token(bob).post(f"/api/runs/{run.pk}/cancel").status_code == 200


def test_a_held_run_is_released(alice: User, team: Team, by_token: Caller) -> None:
    run, client = a_run(team, alice), by_token(alice)

    held = client.post(f"/api/runs/{run.pk}/hold", {"reason": "wait for the night shift"}).json()
    released = client.post(f"/api/runs/{run.pk}/release").json()

    assert (held["hold_reason"], held["held_by"]) == ("wait for the night shift", "user:alice")
    assert released["hold_reason"] == ""


def test_execute_does_not_end_an_operators_hold(alice: User, team: Team, by_token: Caller) -> None:
    run, client = a_run(team, alice), by_token(alice)
    client.post(f"/api/runs/{run.pk}/hold", {"reason": "wait"})

    assert client.post(f"/api/runs/{run.pk}/execute").json()["hold_reason"] == "wait"


def test_a_note_is_kept(alice: User, team: Team, by_token: Caller) -> None:
    run = a_run(team, alice)

    assert by_token(alice).post(f"/api/runs/{run.pk}/notes", {"text": "the cache was cold"}).status_code == 200
    assert run.steps.get(kind="note").payload == {"text": "the cache was cold"}


@pytest.mark.parametrize("text", ["", "  ", "x" * 4_001])
def test_a_note_of_no_or_too_many_words_is_refused(alice: User, team: Team, by_token: Caller, text: str) -> None:
    run = a_run(team, alice)

    problem(by_token(alice).post(f"/api/runs/{run.pk}/notes", {"text": text}), 400, "bad_note")


@pytest.mark.parametrize("verb", ["/cancel", "/hold", "/notes"])
def test_a_misspelt_field_steers_nothing(alice: User, team: Team, by_token: Caller, verb: str) -> None:
    run = a_run(team, alice)

    problem(by_token(alice).post(f"/api/runs/{run.pk}{verb}", {"raeson": "x"}), 400, "unknown_field")
    assert Run.objects.get(pk=run.pk).n_steps == 1


def test_options_say_what_an_address_takes(alice: User, team: Team, by_token: Caller) -> None:
    run = a_run(team, alice)

    for address in ("/api/runs", f"/api/runs/{run.pk}", f"/api/runs/{run.pk}/report", "/api/approvals", "/api/tools"):
        assert by_token(alice).options(address).status_code == 200


def test_a_run_is_changed_by_verbs_only(alice: User, team: Team, by_token: Caller) -> None:
    run, client = a_run(team, alice), by_token(alice)

    for method in (client.put, client.patch, client.delete):
        problem(method(f"/api/runs/{run.pk}", {"state": "DONE"}), 405, "method_not_allowed")

"""Approvals over the API: who sees them, who decides, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from runs.models import Approval, Run, Team
from runs.services.teams import add_member
from runs.states import ApprovalState, Role, RunState
from tests.runs.api.conftest import Caller
from tests.runs.api.problem import problem
from tests.runs.making import make_question
from tests.runs.story import TICKET, parked


@pytest.fixture
def approval(team: Team, alice: User, bob: User, carol: User) -> Approval:
    return parked(team, alice)


def _word(approval: Approval, decision: str = "approve", **more: Any) -> dict[str, Any]:
    return {"decision": decision, "args_sha256": approval.args_sha256, **more}


def test_an_approval_shows_exactly_what_will_run(bob: User, approval: Approval, by_token: Caller) -> None:
    body = by_token(bob).get(f"/api/approvals/{approval.pk}").json()

    assert body["args"]["title"] == TICKET["title"]
    assert body["args_canonical"] == approval.args_canonical
    assert body["preview"]["sentence"] == "Create a ticket in OpsPilot."
    assert body["your_vote"] == {"allowed": True, "why": ""}


def test_the_starter_is_told_who_can_vote(alice: User, approval: Approval, by_token: Caller) -> None:
    body = by_token(alice).get(f"/api/approvals/{approval.pk}").json()

    assert body["your_vote"]["allowed"] is False
    assert "bob or carol" in body["your_vote"]["why"]


def test_one_vote_of_another_person_moves_the_run_on(bob: User, approval: Approval, by_token: Caller) -> None:
    response = by_token(bob).post(f"/api/approvals/{approval.pk}/decide", _word(approval))

    assert response.status_code == 200
    body = response.json()
    assert (body["state"], body["decided_by"]) == (ApprovalState.APPROVED, "user:bob")
    assert [(vote["user"], vote["approve"], vote["door"]) for vote in body["votes"]] == [("bob", True, "api")]
    assert Run.objects.get().state == RunState.EXECUTE_TOOL


def test_a_denial_needs_a_reason_and_lets_the_run_go_on(bob: User, approval: Approval, by_token: Caller) -> None:
    client = by_token(bob)
    problem(client.post(f"/api/approvals/{approval.pk}/decide", _word(approval, "deny")), 400, "reason_too_short")
    assert Approval.objects.get().state == ApprovalState.PENDING

    denied = client.post(f"/api/approvals/{approval.pk}/decide", _word(approval, "deny", reason="known and ticketed"))

    assert denied.json()["state"] == ApprovalState.DENIED
    assert Run.objects.get().state == RunState.EVALUATE


def test_the_starter_cannot_approve(alice: User, approval: Approval, by_token: Caller) -> None:
    body = problem(by_token(alice).post(f"/api/approvals/{approval.pk}/decide", _word(approval)), 403, "not_allowed")

    assert "bob or carol" in body["detail"]
    assert Approval.objects.get().state == ApprovalState.PENDING


def test_an_operator_and_a_service_account_cannot_approve(team: Team, approval: Approval, by_token: Caller) -> None:
    for name, role, is_service in (("olga", Role.OPERATOR, False), ("robot", Role.APPROVER, True)):
        user = User.objects.create_user(name)
        add_member(team, user, role, is_service=is_service)
        problem(by_token(user).post(f"/api/approvals/{approval.pk}/decide", _word(approval)), 403, "not_allowed")
    assert not approval.votes.exists()


def test_an_outsider_sees_and_decides_nothing(mallory: User, approval: Approval, by_token: Caller) -> None:
    client = by_token(mallory)

    assert client.get("/api/approvals").json()["results"] == []
    problem(client.get(f"/api/approvals/{approval.pk}"), 404, "not_found")
    problem(client.post(f"/api/approvals/{approval.pk}/decide", _word(approval)), 404, "not_found")
    problem(client.post("/api/approvals/99999999999999999999/decide", _word(approval)), 404, "not_found")
    assert not approval.votes.exists()


def test_other_arguments_than_were_read_are_not_approved(bob: User, approval: Approval, by_token: Caller) -> None:
    response = by_token(bob).post(f"/api/approvals/{approval.pk}/decide", _word(approval) | {"args_sha256": "0" * 64})

    problem(response, 409, "arguments_changed")


def test_a_decided_request_is_closed_but_ones_own_word_may_be_repeated(
    bob: User, carol: User, approval: Approval, by_token: Caller
) -> None:
    address = f"/api/approvals/{approval.pk}/decide"
    by_token(bob).post(address, _word(approval))

    assert by_token(bob).post(address, _word(approval)).status_code == 200
    problem(by_token(carol).post(address, _word(approval)), 409, "already_decided")
    assert approval.votes.count() == 1


def test_an_expired_request_is_gone(bob: User, approval: Approval, by_token: Caller) -> None:
    Approval.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    problem(by_token(bob).post(f"/api/approvals/{approval.pk}/decide", _word(approval)), 410, "expired")
    assert Approval.objects.get().state == ApprovalState.EXPIRED
    assert Run.objects.get().state == RunState.EVALUATE


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"decision": "maybe"}, "invalid_choice"), ({"decision": None}, "null"), ({"args_sha256": 7}, "invalid"),
        ({"approve": True}, "unknown_field"), ({"reason": "x" * 1_001}, "max_length"),
    ],
)  # fmt: skip
def test_an_unclear_word_decides_nothing(
    bob: User, approval: Approval, by_token: Caller, change: dict[str, Any], code: str
) -> None:
    problem(by_token(bob).post(f"/api/approvals/{approval.pk}/decide", _word(approval) | change), 400, code)
    assert not approval.votes.exists()


def test_a_get_decides_nothing(bob: User, approval: Approval, by_token: Caller) -> None:
    problem(by_token(bob).get(f"/api/approvals/{approval.pk}/decide"), 405, "method_not_allowed")


def test_the_list_is_most_urgent_first_and_flat(
    alice: User, bob: User, team: Team, approval: Approval, by_token: Caller, django_assert_num_queries: Any
) -> None:
    later = [parked(team, alice) for _ in range(4)]
    Approval.objects.filter(pk=later[-1].pk).update(expires_at=timezone.now() + timedelta(minutes=5))
    client = by_token(bob)
    client.get("/api/me")

    with django_assert_num_queries(3):  # token, approvals with runs and teams, votes
        rows = client.get("/api/approvals?state=PENDING").json()["results"]

    assert [row["id"] for row in rows] == [later[-1].pk, approval.pk, *(row.pk for row in later[:-1])]
    assert client.get(f"/api/approvals?run={approval.run_id}").json()["results"][0]["id"] == approval.pk
    assert client.get("/api/approvals?state=DENIED").json()["results"] == []


def test_a_question_says_its_kind_its_key_and_when_it_was_sent(alice: User, team: Team, by_token: Caller) -> None:
    question = make_question(team, alice)

    body = by_token(alice).get(f"/api/approvals/{question.pk}").json()

    assert (body["kind"], body["key"]) == ("settle", question.call.key)
    assert body["sent_at"] is not None
    assert body["your_vote"] == {"allowed": True, "why": ""}


def test_a_question_is_answered_without_a_reason_by_who_started_the_run(
    alice: User, team: Team, by_token: Caller
) -> None:
    question = make_question(team, alice)

    response = by_token(alice).post(f"/api/approvals/{question.pk}/decide", _word(question, "deny"))

    assert (response.status_code, response.json()["state"]) == (200, ApprovalState.DENIED)
    assert Run.objects.get().state == RunState.EXECUTE_TOOL


def test_a_request_that_was_not_sent_has_no_time_of_sending(bob: User, approval: Approval, by_token: Caller) -> None:
    body = by_token(bob).get(f"/api/approvals/{approval.pk}").json()

    assert (body["kind"], body["sent_at"]) == ("call", None)

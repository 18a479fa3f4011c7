"""Who may decide a request, what a decision does, and what it can never do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from runs.models import Approval, Membership, Run, Team, ToolCall, Vote
from runs.permissions import may
from runs.services.actors import Actor
from runs.services.approvals import decide_approval, expire_approvals, possible_voters
from runs.services.errors import Refused
from runs.services.runs import cancel_run
from runs.services.teams import add_member
from runs.states import ApprovalState, CallStatus, Effect, Role, RunState
from tests.runs.making import make_question, make_request

pytestmark = pytest.mark.django_db


def _decide(approval: Approval, user: User, approve: bool = True, **more: str) -> Approval:
    return decide_approval(
        approval.pk, user=user, approve=approve, args_sha256=more.pop("args_sha256", approval.args_sha256), **more
    )


def _refusal(approval: Approval, user: User, approve: bool = True, **more: str) -> Refused:
    with pytest.raises(Refused) as caught:
        _decide(approval, user, approve, **more)
    return caught.value


def test_another_approver_approves_and_the_run_resumes(team: Team, alice: User, bob: User) -> None:
    approval = make_request(team, alice)
    decided = _decide(approval, bob)
    assert (decided.state, decided.decided_by) == (ApprovalState.APPROVED, "user:bob")
    assert Run.objects.get(pk=approval.run_id).state == RunState.EXECUTE_TOOL
    assert ToolCall.objects.get(pk=approval.call_id).status == CallStatus.APPROVED


def test_the_starter_cannot_vote_and_is_told_who_can(team: Team, alice: User, bob: User, carol: User) -> None:
    add_member(team, alice, Role.APPROVER)
    approval = make_request(team, alice)
    refusal = _refusal(approval, alice)
    assert (refusal.status, str(refusal)) == (403, "You started this run; bob or carol can.")
    assert Vote.objects.count() == 0


def test_nobody_else_could_vote_is_said(team: Team, alice: User) -> None:
    assert "nobody can vote" in str(_refusal(make_request(team, alice), alice))


def test_an_outsider_sees_no_such_request(team: Team, alice: User, mallory: User) -> None:
    assert _refusal(make_request(team, alice), mallory).status == 404


def test_an_operator_cannot_vote(team: Team, alice: User, bob: User) -> None:
    eve = User.objects.create_user("eve")
    add_member(team, eve, Role.OPERATOR)
    assert _refusal(make_request(team, alice), eve).code == "not_allowed"


def test_a_service_account_can_never_vote(team: Team, alice: User, bob: User) -> None:
    Membership.objects.filter(user=bob).update(is_service=True)
    approval = make_request(team, alice)
    assert "service account" in str(_refusal(approval, bob))
    assert possible_voters(approval) == []


def test_a_disabled_person_sees_nothing(team: Team, alice: User, bob: User) -> None:
    bob.is_active = False
    bob.save()
    assert _refusal(make_request(team, alice), bob).status == 404


def test_the_owner_confirms_under_the_solo_preset(team: Team, alice: User) -> None:
    approval = make_request(team, alice, effect=Effect.CONFIRM)
    assert may(alice, "vote", approval)
    assert _decide(approval, alice).state == ApprovalState.APPROVED


def test_two_votes_are_two_people(team: Team, alice: User, bob: User, carol: User) -> None:
    approval = make_request(team, alice, votes=2)
    assert _decide(approval, bob).state == ApprovalState.PENDING
    assert _decide(approval, bob).state == ApprovalState.PENDING, "the same vote again is the same vote"
    assert Vote.objects.count() == 1
    assert _decide(approval, carol).state == ApprovalState.APPROVED


def test_a_denial_is_a_veto_with_a_reason(team: Team, alice: User, bob: User, carol: User) -> None:
    approval = make_request(team, alice, votes=2)
    _decide(approval, bob)
    assert _refusal(approval, carol, approve=False, reason="no").code == "reason_too_short"
    decided = _decide(approval, carol, approve=False, reason="There is a ticket already.")
    assert decided.state == ApprovalState.DENIED
    call = ToolCall.objects.get(pk=approval.call_id)
    assert (call.status, call.summary) == (CallStatus.DENIED, "Denied by carol: There is a ticket already.")
    assert Run.objects.get(pk=approval.run_id).state == RunState.EVALUATE


def test_a_decision_is_final(team: Team, alice: User, bob: User, carol: User) -> None:
    approval = make_request(team, alice)
    _decide(approval, bob)
    refusal = _refusal(approval, carol)
    assert (refusal.code, refusal.status) == ("already_decided", 409)
    assert "by bob" in str(refusal)
    assert _decide(approval, bob).state == ApprovalState.APPROVED, "the approver's own retry answers the same"


def test_a_vote_on_other_arguments_does_not_count(team: Team, alice: User, bob: User) -> None:
    approval = make_request(team, alice)
    assert _refusal(approval, bob, args_sha256="0" * 64).code == "arguments_changed"


def test_arguments_that_changed_in_the_database_void_the_vote(team: Team, alice: User, bob: User) -> None:
    approval = make_request(team, alice)
    call = approval.call
    call.args = {**call.args, "title": "something else"}
    call.save()
    assert _refusal(approval, bob).code == "arguments_changed"


def test_after_its_time_a_request_expires_and_the_run_goes_on(team: Team, alice: User, bob: User) -> None:
    approval = make_request(team, alice)
    Approval.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert _refusal(approval, bob).status == 410
    approval.refresh_from_db()
    assert approval.state == ApprovalState.EXPIRED
    call = ToolCall.objects.get(pk=approval.call_id)
    assert (call.status, call.summary) == (CallStatus.EXPIRED, "Nobody decided in time.")
    assert Run.objects.get(pk=approval.run_id).state == RunState.EVALUATE


def test_the_clock_expires_what_nobody_decided_once(team: Team, alice: User) -> None:
    make_request(team, alice)
    Approval.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert (expire_approvals(), expire_approvals()) == (1, 0)


def test_a_cancelled_run_voids_its_request(team: Team, alice: User, bob: User) -> None:
    approval = make_request(team, alice)
    cancel_run(approval.run_id, Actor.person(alice))
    approval.refresh_from_db()
    assert approval.state == ApprovalState.VOID
    assert _refusal(approval, bob).code == "already_decided"


def test_the_run_waits_until_the_last_request_is_decided(team: Team, alice: User, bob: User) -> None:
    first = make_request(team, alice)
    second = make_request(team, alice, run=first.run, index=1)
    _decide(first, bob, approve=False, reason="Not this one, please.")
    assert Run.objects.get(pk=first.run_id).state == RunState.NEEDS_APPROVAL
    _decide(second, bob)
    assert Run.objects.get(pk=first.run_id).state == RunState.EXECUTE_TOOL


def test_whether_a_call_happened_may_be_said_by_every_person_but_viewers(
    team: Team, alice: User, bob: User, mallory: User
) -> None:
    add_member(team, User.objects.create_user("vic"), Role.VIEWER)
    add_member(team, User.objects.create_user("robot"), Role.APPROVER, is_service=True)
    question = make_question(team, alice)
    assert possible_voters(question) == [alice, bob]
    for person in User.objects.all():
        assert bool(may(person, "vote", question)) == (person in (alice, bob)), person

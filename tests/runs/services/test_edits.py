"""A person changes the arguments of a request: what becomes of it, who may vote then, and what the planner hears."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from agent.loop import _results
from runs.invariants import check_all
from runs.models import Approval, PolicyRule, Run, Step, Team, ToolCall
from runs.services.approvals import decide_approval, possible_voters
from runs.services.edits import changes_between, edit_request
from runs.services.errors import Refused
from runs.services.teams import add_member
from runs.states import ApprovalState, CallStatus, Effect, Role, RunState
from tests.runs.making import make_question
from tests.runs.story import TICKET, approved, finished, parked

pytestmark = pytest.mark.django_db
TITLE = {**TICKET, "title": "checkout: pool of the orders database is exhausted"}


@pytest.fixture
def approval(team: Team, alice: User, bob: User, carol: User) -> Approval:
    return parked(team, alice)


def _edit(approval: Approval, user: User, args: dict[str, Any] | None = None, **more: str) -> Approval:
    sha256 = more.pop("args_sha256", approval.args_sha256)
    return edit_request(approval.pk, user=user, args=TITLE if args is None else args, args_sha256=sha256, **more)


def _refusal(*words: Any, **more: str) -> Refused:
    with pytest.raises(Refused) as caught:
        _edit(*words, **more)
    assert Approval.objects.count() == 1
    return caught.value


def test_the_old_request_is_void_and_a_new_one_shows_both_argument_sets(approval: Approval, bob: User) -> None:
    new = _edit(approval, bob)
    approval.refresh_from_db()
    assert (approval.state, approval.void_code) == (ApprovalState.VOID, "edited")
    assert (new.state, new.replaces_id, new.requested_by) == (ApprovalState.PENDING, approval.pk, "user:bob")
    assert [(c.name, c.before, c.after) for c in changes_between(approval.call.args, new.call.args)] == [
        ("title", TICKET["title"], TITLE["title"])
    ]
    assert new.args_sha256 == new.call.args_sha256 != approval.args_sha256
    assert TITLE["title"] in new.preview["body"]
    assert check_all() == []


def test_it_is_one_step_that_says_who_changed_what(approval: Approval, bob: User) -> None:
    new = _edit(approval, bob, door="api")
    step = Step.objects.filter(run=approval.run_id).latest("seq")
    assert (step.kind, step.name, step.actor) == ("vote", "edit", "user:bob")
    assert step.payload["changed"] == ["title"]
    assert step.payload["bound"] == {str(new.pk): new.bound_sha256}
    assert Run.objects.get().state == RunState.NEEDS_APPROVAL


def test_neither_the_editor_nor_the_starter_may_vote_on_it(
    team: Team, approval: Approval, alice: User, bob: User, carol: User
) -> None:
    add_member(team, alice, Role.APPROVER)
    new = _edit(approval, bob)
    assert possible_voters(new) == [carol]
    for person, words in ((alice, "You started this run; carol can."), (bob, "You changed its arguments; carol can.")):
        with pytest.raises(Refused, match=words):
            decide_approval(new.pk, user=person, approve=True, args_sha256=new.args_sha256)
    assert decide_approval(new.pk, user=carol, approve=True, args_sha256=new.args_sha256).state == "APPROVED"


def test_an_editor_stays_barred_when_another_edits_again(approval: Approval, bob: User, carol: User) -> None:
    first = _edit(approval, bob)
    second = _edit(first, carol, {**TITLE, "severity": "SEV1"})
    assert possible_voters(second) == []
    with pytest.raises(Refused, match="nobody can vote"):
        decide_approval(second.pk, user=bob, approve=True, args_sha256=second.args_sha256)


def test_a_vote_on_the_old_arguments_does_not_count_for_the_new(
    team: Team, alice: User, bob: User, carol: User, approval: Approval
) -> None:
    PolicyRule.objects.filter(risk="write").update(votes=2)
    approval = parked(team, alice)
    decide_approval(approval.pk, user=bob, approve=True, args_sha256=approval.args_sha256)
    new = _edit(approval, alice)
    assert not new.votes.exists()
    with pytest.raises(Refused) as caught:
        decide_approval(new.pk, user=bob, approve=True, args_sha256=approval.args_sha256)
    assert caught.value.code == "arguments_changed"


def test_the_planner_gets_one_answer_that_says_what_a_person_changed(
    approval: Approval, bob: User, carol: User
) -> None:
    new = _edit(approval, bob)
    approved(new, carol)
    run = finished(new)
    (returned,) = _results(run, new.call.plan_seq)
    assert returned.args["title"] == TITLE["title"]
    assert returned.summary.startswith("A person, bob, changed these arguments before it was decided: title.")
    assert [call.status for call in ToolCall.objects.filter(tool="create_ticket")] == [
        CallStatus.EDITED, CallStatus.SUCCESS,
    ]  # fmt: skip
    assert check_all() == []


def test_a_denial_of_the_edited_call_is_told_with_the_change(approval: Approval, bob: User, carol: User) -> None:
    new = _edit(approval, bob)
    decide_approval(new.pk, user=carol, approve=False, reason="There is one already", args_sha256=new.args_sha256)
    (returned,) = _results(Run.objects.get(), new.call.plan_seq)
    assert returned.summary.endswith("title. Denied by carol: There is one already")


def test_the_owner_may_edit_and_still_confirms_where_the_owner_confirms(team: Team, alice: User, bob: User) -> None:
    PolicyRule.objects.filter(risk="write").update(effect=Effect.CONFIRM)
    new = _edit(parked(team, alice), alice)
    assert decide_approval(new.pk, user=alice, approve=True, args_sha256=new.args_sha256).state == "APPROVED"


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (TICKET, "nothing_changed"), (TITLE | {"title": "x"}, "invalid_arguments"),
        (TITLE | {"more": 1}, "invalid_arguments"), ({}, "invalid_arguments"),
        (TITLE | {"severity": "SEV9"}, "invalid_arguments"),
    ],
)  # fmt: skip
def test_arguments_that_the_tool_does_not_take_change_nothing(
    approval: Approval, bob: User, args: dict[str, Any], code: str
) -> None:
    refusal = _refusal(approval, bob, args)
    assert (refusal.code, refusal.status) == (code, 400)


def test_who_may_not_steer_the_run_may_not_edit(team: Team, approval: Approval, mallory: User) -> None:
    viewer, other, robot = (User.objects.create_user(name) for name in ("vic", "olga", "robot"))
    add_member(team, viewer, Role.VIEWER)
    add_member(team, other, Role.OPERATOR)
    add_member(team, robot, Role.APPROVER, is_service=True)
    for person, status in ((viewer, 403), (other, 403), (robot, 403), (mallory, 404)):
        assert _refusal(approval, person).status == status, person


def test_an_edit_names_the_arguments_it_was_made_from(approval: Approval, bob: User) -> None:
    assert _refusal(approval, bob, args_sha256="0" * 64).code == "arguments_changed"


def test_what_was_decided_is_not_edited(approval: Approval, bob: User, carol: User) -> None:
    approved(approval, bob)
    assert _refusal(approval, carol).code == "already_decided"


def test_a_question_about_the_past_is_not_edited(team: Team, alice: User, bob: User) -> None:
    assert "already sent" in str(_refusal(make_question(team, alice), bob))


def test_an_edit_that_the_policy_refuses_is_refused(approval: Approval, team: Team, bob: User) -> None:
    PolicyRule.objects.filter(risk="write").update(effect=Effect.REFUSE)
    refusal = _refusal(approval, bob)
    assert (refusal.status, refusal.code) == (409, "policy_changed")


def test_secrets_in_an_edit_are_not_stored(approval: Approval, bob: User) -> None:
    new = _edit(approval, bob, {**TITLE, "body": "the key is AKIAIOSFODNN7EXAMPLE, use it"})
    assert "AKIAIOSFODNN7EXAMPLE" not in new.args_canonical

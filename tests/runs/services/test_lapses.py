"""A request stands as long as what it was asked about: arguments, tool, operands, policy and the voters' roles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.contrib.auth.models import User
from pydantic import Field

from runs.invariants import check_all
from runs.models import Approval, Membership, PolicyRule, Run, Step, Team, ToolCall
from runs.services import binding, drive
from runs.services import calls as ledger
from runs.services.append import Overtaken
from runs.services.approvals import decide_approval, renew_lapsed
from runs.services.binding import lapse_at_start
from runs.services.errors import Refused
from runs.services.teams import add_member
from runs.states import ApprovalState, CallStatus, Effect, Role, RunState
from tests.runs.story import REPORT, approved, claimed, parked
from tools import create_ticket, registry

pytestmark = pytest.mark.django_db


@pytest.fixture
def approval(team: Team, alice: User, bob: User, carol: User) -> Approval:
    return parked(team, alice)


class _Stricter(create_ticket.CreateTicket):
    body: str = Field(min_length=10, max_length=99, description="Markdown: impact, cause, evidence, next steps.")


class _Shorter(create_ticket.CreateTicket):
    title: str = Field(max_length=9)


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Another version of create_ticket is installed, as after an update."""

    def install(**changes: object) -> None:
        tools = {**registry.all_tools(), "create_ticket": replace(create_ticket.TOOL, **changes)}
        monkeypatch.setattr(registry, "all_tools", lambda: tools)
        binding.schema_digest.cache_clear()

    yield install
    monkeypatch.undo()
    binding.schema_digest.cache_clear()


def _refusal(approval: Approval, user: User) -> Refused:
    with pytest.raises(Refused) as caught:
        decide_approval(approval.pk, user=user, approve=True, args_sha256=approval.args_sha256)
    approval.refresh_from_db()
    assert approval.state == ApprovalState.VOID
    assert not approval.votes.exists()
    return caught.value


def test_a_stricter_policy_asks_again_under_the_new_rule(approval: Approval, bob: User, carol: User) -> None:
    PolicyRule.objects.filter(risk="write").update(votes=2, name="writes need two votes")
    refusal = _refusal(approval, bob)
    new = Approval.objects.pending().get()
    assert (refusal.code, refusal.status) == ("policy_changed", 409)
    assert f"See the new request, {new.pk}." in str(refusal)
    assert (new.required, new.replaces_id, new.rule["name"]) == (2, approval.pk, "writes need two votes")
    assert Run.objects.get().state == RunState.NEEDS_APPROVAL
    assert check_all() == []


def test_a_policy_that_refuses_now_ends_the_call_and_the_planner_is_told(approval: Approval, bob: User) -> None:
    PolicyRule.objects.filter(risk="write").update(effect=Effect.REFUSE, name="no writes this week")
    assert _refusal(approval, bob).code == "policy_changed"
    call = ToolCall.objects.get(pk=approval.call_id)
    assert (call.status, call.summary) == (CallStatus.VOID, "The policy now refuses it: no writes this week.")
    assert Run.objects.get().state == RunState.EVALUATE
    assert check_all() == []


def test_a_rule_for_something_else_changes_nothing(approval: Approval, bob: User) -> None:
    PolicyRule.objects.filter(risk="destructive").update(votes=3)
    assert decide_approval(approval.pk, user=bob, approve=True, args_sha256=approval.args_sha256).state == "APPROVED"


def test_a_tool_that_still_takes_the_arguments_is_asked_about_again(
    approval: Approval, bob: User, tool: Callable[..., None]
) -> None:
    tool(params=_Stricter)
    assert _refusal(approval, bob).code == "tool_changed"
    assert Approval.objects.pending().get().tool_sha256 != approval.tool_sha256


def test_a_tool_that_no_longer_takes_them_ends_the_call(
    approval: Approval, bob: User, tool: Callable[..., None]
) -> None:
    tool(params=_Shorter)
    assert "no longer takes these arguments" in str(_refusal(approval, bob))
    assert not Approval.objects.pending().exists()
    assert ToolCall.objects.get(pk=approval.call_id).status == CallStatus.VOID


def test_what_the_arguments_point_at_is_part_of_the_request(
    team: Team, alice: User, bob: User, tool: Callable[..., None], tmp_path
) -> None:
    script = tmp_path / "runbook.sh"
    script.write_text("echo SAFE")
    tool(operands=lambda params: {"runbook.sh": script.read_text()})
    approval = parked(team, alice)
    script.write_text("rm -rf /")
    assert _refusal(approval, bob).code == "operands_changed"
    assert Approval.objects.pending().get().operands == {"runbook.sh": "rm -rf /"}


def test_an_operand_that_cannot_be_read_any_more_is_a_changed_one(
    team: Team, alice: User, bob: User, tool: Callable[..., None], tmp_path
) -> None:
    script = tmp_path / "runbook.sh"
    script.write_text("echo SAFE")
    tool(operands=lambda params: {"runbook.sh": script.read_text()})
    approval = parked(team, alice)
    script.unlink()
    assert _refusal(approval, bob).code == "operands_changed"


def test_the_reconciler_asks_again_before_anybody_votes(approval: Approval) -> None:
    assert renew_lapsed() == 0
    PolicyRule.objects.filter(risk="write").update(votes=2)
    assert (renew_lapsed(), renew_lapsed()) == (1, 0)
    assert Approval.objects.pending().get().required == 2


def test_the_reconciler_ends_a_call_whose_row_was_changed(approval: Approval) -> None:
    ToolCall.objects.filter(pk=approval.call_id).update(args={**approval.call.args, "title": "another title"})
    assert renew_lapsed() == 1
    assert not Approval.objects.pending().exists()
    assert Run.objects.get().state == RunState.EVALUATE


# Between the decision and the start


def _leave(team: Team, bob: User) -> None:
    Membership.objects.filter(user=bob).delete()


def _demote(team: Team, bob: User) -> None:
    add_member(team, bob, Role.OPERATOR)


def _disable(team: Team, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)


def _become_a_service(team: Team, bob: User) -> None:
    add_member(team, bob, Role.APPROVER, is_service=True)


@pytest.mark.parametrize("lose", [_leave, _demote, _disable, _become_a_service])
def test_a_voter_who_may_no_longer_vote_stops_the_call_and_it_is_asked_about_again(
    approval: Approval, team: Team, bob: User, carol: User, lose: Callable[[Team, User], None]
) -> None:
    approved(approval, bob)
    lose(team, bob)
    run, call = Run.objects.get(), ToolCall.objects.get(pk=approval.call_id)
    lease = claimed(run)

    with pytest.raises(Overtaken, match="votes_lapsed"):
        ledger.start_call(run, lease, call)
    assert not Step.objects.filter(kind="tool_intent", name="create_ticket").exists()

    run.refresh_from_db()
    call.refresh_from_db()
    lapse = lapse_at_start(call, approval.asked_at)
    assert lapse is not None
    ledger.withdraw_call(run, lease, call, lapse)
    drive.ask_approval(run, lease, [call], "on-call must know", REPORT)
    new = Approval.objects.pending().get()
    assert (new.replaces_id, new.call_id) == (approval.pk, approval.call_id)
    assert decide_approval(new.pk, user=carol, approve=True, args_sha256=new.args_sha256).state == "APPROVED"
    assert check_all() == []


def test_an_earlier_vote_of_somebody_who_left_does_not_make_up_a_quorum(
    team: Team, alice: User, bob: User, carol: User, approval: Approval
) -> None:
    PolicyRule.objects.filter(risk="write").update(votes=2)
    approval = parked(team, alice)
    decide_approval(approval.pk, user=bob, approve=True, args_sha256=approval.args_sha256)
    _demote(team, bob)
    assert decide_approval(approval.pk, user=carol, approve=True, args_sha256=approval.args_sha256).state == "PENDING"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda: PolicyRule.objects.filter(risk="write").update(effect=Effect.REFUSE), "policy_changed"),
        (lambda: Approval.objects.update(required=0), "request_changed"),
        (lambda: Approval.objects.update(preview={"sentence": "echo SAFE"}), "request_changed"),
        (lambda: ToolCall.objects.update(tool="search_logs"), "arguments_changed"),
    ],
)
def test_what_changed_after_the_decision_does_not_start(
    approval: Approval, bob: User, change: Callable[[], object], code: str
) -> None:
    approved(approval, bob)
    change()
    run, call = Run.objects.get(), ToolCall.objects.get(pk=approval.call_id)
    with pytest.raises(Overtaken, match=code):
        ledger.start_call(run, claimed(run), call)
    assert Approval.objects.get().state == ApprovalState.APPROVED


def test_somebody_disabled_while_their_request_was_under_way_has_not_voted(approval: Approval, bob: User) -> None:
    _disable(approval.run.team, bob)  # the User in memory still says active
    with pytest.raises(Refused) as caught:
        decide_approval(approval.pk, user=bob, approve=True, args_sha256=approval.args_sha256)
    assert (caught.value.status, approval.votes.count()) == (403, 0)

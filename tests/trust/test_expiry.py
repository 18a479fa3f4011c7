"""A request's time is over at its second, at the decision and at the start, whether or not anything sweeps."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from agent.execute import _unusable_approval
from runs.invariants import check_all
from runs.models import Approval, Run, Step, Team, ToolCall
from runs.services import calls
from runs.services.append import Overtaken
from runs.services.approvals import decide_approval
from runs.services.errors import Refused
from runs.states import ApprovalState, CallStatus, RunState
from tests.runs.story import approved, claimed, parked

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


@pytest.fixture
def approval(team: Team, alice: User, bob: User) -> Approval:
    return parked(team, alice)


def _expires(approval: Approval, after: timedelta) -> None:
    Approval.objects.filter(pk=approval.pk).update(expires_at=timezone.now() + after)


@pytest.mark.parametrize(
    ("offset", "over"),
    [(-SECOND, False), (-timedelta(microseconds=1), False), (timedelta(0), True), (SECOND, True)],
)
def test_the_edge_is_sharp(approval: Approval, offset: timedelta, over: bool) -> None:
    assert approval.is_expired(approval.expires_at + offset) == over


def test_a_second_before_the_end_it_is_decided_and_runs(approval: Approval, bob: User) -> None:
    _expires(approval, 60 * SECOND)
    decide_approval(approval.pk, user=bob, approve=True, args_sha256=approval.args_sha256)
    run, call = Run.objects.get(), ToolCall.objects.get(pk=approval.call_id)
    calls.start_call(run, claimed(run), call)
    assert Approval.objects.get().state == ApprovalState.CONSUMED


@pytest.mark.parametrize("late", [timedelta(0), SECOND])
@pytest.mark.parametrize("approve", [True, False])
def test_from_its_end_on_it_is_decided_by_nobody(approval: Approval, bob: User, late: timedelta, approve: bool) -> None:
    _expires(approval, -late)
    with pytest.raises(Refused) as caught:
        decide_approval(
            approval.pk, user=bob, approve=approve, reason="too late, I know", args_sha256=approval.args_sha256
        )
    assert (caught.value.code, caught.value.status) == ("expired", 410)
    assert Approval.objects.get().state == ApprovalState.EXPIRED
    assert not approval.votes.exists()
    assert Run.objects.get().state == RunState.EVALUATE
    assert check_all() == []


def test_what_was_approved_in_time_does_not_start_after_its_end(approval: Approval, bob: User) -> None:
    approved(approval, bob)
    _expires(approval, -SECOND)
    run, call = Run.objects.get(), ToolCall.objects.get(pk=approval.call_id)
    lease = claimed(run)
    with pytest.raises(Overtaken, match="expired"):
        calls.start_call(run, lease, call)
    run.refresh_from_db()
    call.refresh_from_db()
    status, words = _unusable_approval(call) or (None, "")
    assert status == CallStatus.EXPIRED
    calls.end_call(run, lease, call, status, words)
    assert Approval.objects.get().state == ApprovalState.EXPIRED
    assert not Step.objects.filter(kind="tool_intent", name="create_ticket").exists()
    assert check_all() == []

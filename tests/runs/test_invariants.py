"""fsck's invariants: silent on an honest record, and each planted damage is named."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db.models import F
from django.utils import timezone

from runs.audit.chain import canonical, digest
from runs.invariants import Hit, check_all, legal_moves
from runs.models import Approval, AuditEvent, Evidence, Run, Step, Team, ToolCall, Vote
from runs.services.actors import Actor
from runs.services.approvals import decide_approval
from runs.services.runs import add_note, cancel_run, hold_run
from runs.states import ApprovalState, RunState, StepKind
from tests.runs.story import a_run, approved, claimed, finished, parked

pytestmark = pytest.mark.usefixtures("unguarded")  # they change what nobody may change


@pytest.fixture
def done(team: Team, alice: User, bob: User) -> Run:
    """A whole run: a search, an approved ticket, an end."""
    approval = parked(team, alice)
    approved(approval, bob)
    return finished(approval)


def _found() -> set[str]:
    return {hit.invariant for hit in check_all()}


def test_an_honest_record_has_no_hits(done: Run, team: Team, alice: User, bob: User) -> None:
    a_run(team, alice, start=False)
    claimed(a_run(team, alice))
    waiting = parked(team, alice)
    add_note(waiting.run_id, Actor.person(bob), "the cache was cold")
    hold_run(waiting.run_id, Actor.person(bob), "wait")
    denied = parked(team, alice)
    decide_approval(
        denied.pk, user=bob, approve=False, reason="there is a ticket", args_sha256=denied.args_sha256, door="web"
    )
    cancelled = parked(team, alice)
    cancel_run(cancelled.run_id, Actor.person(alice))

    assert check_all() == []


def test_two_votes_cover_a_destructive_call(team: Team, alice: User, bob: User, carol: User) -> None:
    approval = parked(team, alice, risk="destructive")
    approved(approval, bob, carol)
    finished(approval)

    assert check_all() == []


def test_the_legal_moves_are_those_of_the_state_machine() -> None:
    assert ("begin", "QUEUED", "PLAN") in legal_moves()
    assert ("finish", "EVALUATE", "DONE") in legal_moves()
    assert not any(source in ("DONE", "FAILED", "CANCELLED") for _, source, _ in legal_moves())


def _swap_state(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(state=RunState.FAILED)


def _skip_a_state(run: Run) -> None:
    Step.objects.filter(run=run, name="begin").update(after=RunState.EVALUATE)
    Step.objects.filter(run=run, seq=3).update(before=RunState.EVALUATE)


def _lose_a_step(run: Run) -> None:
    Step.objects.filter(run=run, seq=4).delete()


def _lose_the_last_step(run: Run) -> None:
    Step.objects.filter(run=run, seq=run.n_steps).delete()


def _change_arguments(run: Run) -> None:
    call = run.calls.get(tool="create_ticket")
    ToolCall.objects.filter(pk=call.pk).update(args=call.args | {"title": "something else"})


def _return_twice(run: Run) -> None:
    first = run.steps.get(kind=StepKind.TOOL_RESULT, name="search_logs")
    Step.objects.filter(run=run, kind=StepKind.TOOL_RESULT, name="create_ticket").update(body=first.body)


def _return_before_the_start(run: Run) -> None:
    intent = run.steps.get(kind=StepKind.TOOL_INTENT, name="search_logs")
    body = canonical(intent.payload | {"call": 999})
    Step.objects.filter(pk=intent.pk).update(body=body, payload_sha256=digest(body))


def _forge_evidence(run: Run) -> None:
    text = canonical({"lines": ["all is well"]})
    Evidence.objects.filter(run=run).update(body=zlib.compress(text.encode()), sha256=digest(text))


def _wait_for_nobody(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(state=RunState.NEEDS_APPROVAL)


def _keep_a_lease(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() + timedelta(seconds=20))


def _leave_a_request_open(run: Run) -> None:
    run.approvals.update(state=ApprovalState.PENDING)


def _write_after_losing_the_lease(run: Run) -> None:
    Step.objects.filter(run=run, seq=3).update(epoch=9)


def _spend_too_much(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(cost_micro_usd=3_000_000)


def _miscount(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(n_tool_calls=F("n_tool_calls") - 1)


def _forget_the_vote(run: Run) -> None:
    Vote.objects.filter(approval__run=run).delete()


def _vote_for_oneself(run: Run) -> None:
    Approval.objects.filter(run=run).update(requester=User.objects.get(username="bob"))


def _deny_it_as_well(run: Run) -> None:
    carol = User.objects.create_user("carol")
    approval = run.approvals.get()
    Vote.objects.create(approval=approval, user=carol, approve=False, door="web", at=timezone.now())


def _decide_afterwards(run: Run) -> None:
    run.approvals.update(decided_at=timezone.now() + timedelta(minutes=1))


def _run_after_expiry(run: Run) -> None:
    run.approvals.update(expires_at=run.created_at - timedelta(minutes=1))


def _approve_other_arguments(run: Run) -> None:
    run.approvals.update(args_canonical="{}", args_sha256=digest("{}"))


def _lose_the_approval(run: Run) -> None:
    run.approvals.update(state=ApprovalState.VOID)


def _forget_the_start(run: Run) -> None:
    Step.objects.filter(run=run, kind=StepKind.TOOL_INTENT).update(body=None)
    run.approvals.update(state=ApprovalState.VOID)


def _reword_a_step(run: Run) -> None:
    Step.objects.filter(run=run, name="begin").update(actor="user:alice")


def _reword_a_payload(run: Run) -> None:
    Step.objects.filter(run=run, name="create").update(body=canonical({"goal": "something else"}))


@pytest.mark.parametrize(
    ("damage", "invariant"),
    [
        (_swap_state, "I1"), (_skip_a_state, "I1"), (_lose_a_step, "I1"), (_lose_the_last_step, "I1"),
        (_change_arguments, "I2"), (_return_twice, "I2"), (_return_before_the_start, "I2"), (_forge_evidence, "I2"),
        (_wait_for_nobody, "I3"), (_keep_a_lease, "I3"), (_leave_a_request_open, "I3"),
        (_write_after_losing_the_lease, "I4"),
        (_spend_too_much, "I5"), (_miscount, "I5"),
        (_forget_the_vote, "I6"), (_vote_for_oneself, "I6"), (_deny_it_as_well, "I6"), (_decide_afterwards, "I6"),
        (_run_after_expiry, "I6"), (_approve_other_arguments, "I6"), (_lose_the_approval, "I6"),
        (_forget_the_start, "I6"),
        (_reword_a_step, "I7"), (_reword_a_payload, "I7"), (_lose_a_step, "I7"), (_lose_the_last_step, "I7"),
    ],
)  # fmt: skip
def test_damage_is_named(done: Run, damage: Callable[[Run], None], invariant: str) -> None:
    damage(done)

    assert invariant in _found()


def test_a_far_lease_of_a_moving_run_is_named(team: Team, alice: User) -> None:
    run = a_run(team, alice)
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() + timedelta(days=1))

    assert _found() == {"I3"}


def test_one_vote_does_not_cover_a_destructive_call(team: Team, alice: User, bob: User, carol: User) -> None:
    approval = parked(team, alice, risk="destructive")
    approved(approval, bob, carol)
    finished(approval)
    Vote.objects.filter(user=carol).delete()

    assert [(hit.invariant, hit.words) for hit in check_all()] == [
        ("I6", "create_ticket ran, but 1 of 2 others had approved")
    ]


def test_a_hit_says_where(done: Run) -> None:
    _lose_a_step(done)

    assert str(next(hit for hit in check_all() if hit.invariant == "I1")) == (
        f"I1  run {done.pk}, step 5: step 4 is missing"
    )
    assert Hit("I3", 7, 0, "waits").as_json() == {"invariant": "I3", "run": 7, "seq": 0, "words": "waits"}


def test_an_expired_payload_is_no_damage(done: Run) -> None:
    Step.objects.filter(run=done, kind=StepKind.MODEL_CALL).update(body=None)
    Step.objects.filter(run=done, name="begin").update(body=None)

    assert check_all() == []


def test_a_damaged_event_of_the_installation_is_a_hit(done: Run) -> None:
    AuditEvent.objects.filter(seq=2).update(object="mallory in team default")

    assert [str(hit) for hit in check_all()] == ["I7  the installation, event 2: the event was altered"]

"""Many people, one request, the same moment: exactly one outcome, and nothing runs twice.

Through the real pages and services, on threads with connections of their own. The fast tier runs a few rounds; the long
tests run what docs/threat-model.md promises, on the database that the tests run on: `./opspilot test --postgres --all`.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections
from django.test import Client

from runs.invariants import check_run
from runs.models import Approval, PolicyRule, Run, Step, Team, Vote
from runs.services import calls
from runs.services.actors import Actor
from runs.services.append import Overtaken
from runs.services.approvals import decide_approval, expire_request
from runs.services.edits import edit_request
from runs.services.errors import Refused
from runs.services.leases import claim_run
from runs.services.runs import cancel_run
from runs.services.teams import add_member
from runs.states import ApprovalState, Role, RunState
from tests.runs.story import TICKET, parked

pytestmark = pytest.mark.django_db(transaction=True)
FULL = {"sqlite": (24, 40), "postgresql": (16, 200)}  # threads, rounds
REASON = "somebody else has it"
Act = Callable[[], Any]


@pytest.fixture
def voters(team: Team, bob: User, carol: User) -> list[User]:
    dave = User.objects.create_user("dave")
    add_member(team, dave, Role.APPROVER)
    return [bob, carol, dave]


def at_once(acts: list[Act]) -> list[Any]:
    """Start all at the same moment; what each gave back or raised."""
    barrier, outcomes = threading.Barrier(len(acts)), [None] * len(acts)

    def run(place: int, act: Act) -> None:
        try:
            barrier.wait(30)
            outcomes[place] = act()
        except (Refused, Overtaken) as refused:
            outcomes[place] = refused
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(place, act)) for place, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads), "somebody is stuck"
    return outcomes


def _clicks(approval: Approval, user: User) -> Act:
    client = Client()
    client.force_login(user)
    body = {"decision": "approve", "args_sha256": approval.args_sha256}
    return lambda: client.post(f"/approvals/{approval.pk}/decide", body).status_code


def _votes(approval: Approval, user: User, approve: bool = True) -> Act:
    return lambda: decide_approval(
        approval.pk, user=user, approve=approve, reason=REASON, args_sha256=approval.args_sha256
    )


def _starts(approval: Approval) -> int:
    """Several workers find the run at once; how many effects start."""

    def work() -> bool:
        lease = claim_run(approval.run_id, threading.current_thread().name)
        if lease is None:
            return False
        run = Run.objects.get(pk=approval.run_id)
        if run.state != RunState.EXECUTE_TOOL:
            return False
        calls.start_call(run, lease, run.calls.get(pk=approval.call_id))
        return True

    at_once([work] * 3)
    return Step.objects.filter(run=approval.run_id, kind="tool_intent", name="create_ticket").count()


def _settled(approval: Approval) -> Approval:
    approval.refresh_from_db()
    run = Run.objects.get(pk=approval.run_id)
    assert list(check_run(run)) == []
    assert approval.state != ApprovalState.PENDING
    return approval


def _double_click(team: Team, alice: User, voters: list[User], threads: int, rounds: int) -> None:
    for _ in range(rounds):
        approval = parked(team, alice)
        statuses = Counter(at_once([_clicks(approval, voters[place % 3]) for place in range(threads)]))
        assert set(statuses) <= {302, 409}, statuses
        assert _settled(approval).state == ApprovalState.APPROVED
        assert Vote.objects.filter(approval=approval).count() == 1
        assert Step.objects.filter(run=approval.run_id, name="resume").count() == 1
        assert _starts(approval) == 1


def _quorum(team: Team, alice: User, voters: list[User], rounds: int) -> None:
    PolicyRule.objects.filter(risk="write").update(votes=2)
    for turn in range(rounds):
        approval = parked(team, alice)
        people = voters if turn % 2 else voters[:2]
        at_once([_votes(approval, person) for person in people])
        assert _settled(approval).state == ApprovalState.APPROVED, "never stuck"
        assert Vote.objects.filter(approval=approval).count() == 2
        assert Step.objects.filter(run=approval.run_id, name="resume").count() == 1
        assert _starts(approval) == 1


RIVALS: dict[str, Callable[[Approval, list[User]], Act]] = {
    "expire": lambda approval, voters: lambda: expire_request(approval.pk),
    "cancel": lambda approval, voters: lambda: cancel_run(approval.run_id, Actor.person(voters[2])),
    "deny": lambda approval, voters: _votes(approval, voters[1], approve=False),
    "edit": lambda approval, voters: (
        lambda: edit_request(
            approval.pk,
            user=voters[1],
            args={**TICKET, "title": "a title of carol's"},
            args_sha256=approval.args_sha256,
        )
    ),
}
ENDS = {
    "expire": {ApprovalState.APPROVED, ApprovalState.EXPIRED}, "cancel": {ApprovalState.VOID},
    "deny": {ApprovalState.APPROVED, ApprovalState.DENIED}, "edit": {ApprovalState.APPROVED, ApprovalState.VOID},
}  # fmt: skip


def _against(rival: str, team: Team, alice: User, voters: list[User], rounds: int) -> Counter[str]:
    seen: Counter[str] = Counter()
    for turn in range(rounds):
        approval = parked(team, alice)
        acts = [_votes(approval, voters[0]), RIVALS[rival](approval, voters)]
        at_once(acts if turn % 2 else acts[::-1])
        state = _settled(approval).state
        assert state in ENDS[rival]
        run = Run.objects.get(pk=approval.run_id)
        if rival == "edit" and state == ApprovalState.VOID:
            assert approval.replaced_by.state == ApprovalState.PENDING
            assert run.state == RunState.NEEDS_APPROVAL
        else:
            assert _starts(approval) == (1 if state == ApprovalState.APPROVED else 0)
        seen[state] += 1
    return seen


def test_many_clicks_are_one_approval_and_one_effect(team: Team, alice: User, voters: list[User]) -> None:
    _double_click(team, alice, voters, threads=6, rounds=2)


def test_a_quorum_is_reached_once_and_never_stuck(team: Team, alice: User, voters: list[User]) -> None:
    _quorum(team, alice, voters, rounds=4)


@pytest.mark.parametrize("rival", RIVALS)
def test_an_approval_and_its_rival_have_one_outcome(team: Team, alice: User, voters: list[User], rival: str) -> None:
    _against(rival, team, alice, voters, rounds=3)


@pytest.mark.slow
@pytest.mark.long
def test_very_many_clicks_are_one_approval_and_one_effect(team: Team, alice: User, voters: list[User]) -> None:
    threads, rounds = FULL[connection.vendor]
    _double_click(team, alice, voters, threads, rounds)


@pytest.mark.slow
@pytest.mark.long
def test_a_quorum_is_reached_once_in_two_hundred_rounds(team: Team, alice: User, voters: list[User]) -> None:
    _quorum(team, alice, voters, rounds=200)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("rival", RIVALS)
def test_a_hundred_rounds_against_each_rival(
    team: Team, alice: User, voters: list[User], rival: str, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = _against(rival, team, alice, voters, rounds=100)
    with capsys.disabled():
        print(f"\napprove against {rival}: {dict(seen)}")  # noqa: T201

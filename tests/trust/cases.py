"""One run with everything around it: client, worker, reconciler and people, as often as they are needed until it ends.

Used by a process that may die at any moment and by the one that comes after it: every action here is what a person or
a program would simply do again.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, TypeVar

import django_rq
import trust_outside
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connections, transaction
from django.db.models import Q
from django.utils import timezone

from agent import jobs
from runs.faults import InjectedFault
from runs.models import Approval, Membership, PolicyRule, Run, Team
from runs.queue import QUEUE, DriveJob
from runs.reconcile import reconcile_once
from runs.services.actors import Actor
from runs.services.approvals import decide_approval
from runs.services.runs import cancel_run, create_run
from runs.services.teams import add_member, seed_defaults
from runs.states import ApprovalKind, Effect, Role, RunState

AS_OF = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
ROUNDS = 12  # of work and decisions; a run that has not ended by then never will
DIVIDED = ("S10", "S11")  # they have sub-runs
T = TypeVar("T")


class Stuck(Exception):
    """Everything that could move the run was done, and it did not end."""


@dataclass(frozen=True, slots=True)
class Case:
    """A run to be: its scenario, its name in the outside world, and where that is."""

    scenario: str
    name: str
    outside: str
    sources: list[dict[str, str]]

    @property
    def run(self) -> Run | None:
        return Run.objects.filter(idempotency_key=self.name).first()

    def is_to_be_cancelled_whole(self) -> bool:
        """Whether it waits for its sub-runs, and somebody ends all of that before they have ended."""
        return self.scenario == "S11" and self.run is not None and self.run.waits_for_sub_runs

    def effects(self) -> list[str]:
        return trust_outside.tell(self.outside, {"kind": "effects", "case": self.name})["items"]

    def thoughts(self) -> int:
        return trust_outside.tell(self.outside, {"kind": "thoughts", "case": self.name})["count"]


def seed_people() -> Team:
    """alice starts, bob, carol and dave approve. Orders need one vote, but for wires and bulbs together see S6."""
    team = seed_defaults()
    for name, role in (("alice", Role.OPERATOR), *((name, Role.APPROVER) for name in ("bob", "carol", "dave"))):
        add_member(team, User.objects.get_or_create(username=name)[0], role)
    two_votes, _ = Team.objects.get_or_create(slug="careful", name="careful")
    for membership in team.memberships.all():
        add_member(two_votes, membership.user, membership.role)
    Team.objects.get_or_create(slug="restless", name="restless")
    PolicyRule.objects.get_or_create(
        team=two_votes, order=1, name="orders need two votes", tool="order*", effect=Effect.APPROVE, votes=2
    )
    return team


def live(case: Case) -> None:
    """Do all that is left to do until the run has ended. Raises Stuck."""
    again(lambda: _create(case))
    settings.SUB_RUNS = case.scenario in DIVIDED
    for _ in range(ROUNDS):
        run = case.run
        if run is None or run.is_terminal:
            return
        if run.state == RunState.NEEDS_APPROVAL or case.is_to_be_cancelled_whole():
            PEOPLE[case.scenario](case, run)
        else:
            let_time_pass(run)
            again(reconcile_once)
            work_off_queue(until=case.is_to_be_cancelled_whole)
    raise Stuck(f"{case.name} is still {run.state} after {ROUNDS} rounds: {run.hold_reason or 'nobody moves it'}")


def again(action: Callable[[], T]) -> T:
    """What people and programs do when they get no answer."""
    try:
        return action()
    except InjectedFault:
        return action()


def _create(case: Case) -> None:
    slug = {"S6": "careful", "S9": "restless"}.get(case.scenario, "default")
    if slug == "restless" and case.run is None:
        for membership in Team.objects.get(slug="default").memberships.all():
            add_member(Team.objects.get(slug=slug), membership.user, Role(membership.role))
    create_run(
        goal=f"{case.scenario} {case.outside} 0 {case.name}", team=Team.objects.get(slug=slug), origin="api",
        actor=Actor.person(User.objects.get(username="alice")), sources=case.sources, planner="trust", as_of=AS_OF,
        idempotency_key=case.name,
    )  # fmt: skip


def let_time_pass(run: Run) -> None:
    """As long as any lease, hold or hint is good for, of its sub-runs too."""
    past = timezone.now() - timedelta(hours=1)
    runs = Run.objects.filter(Q(pk=run.pk) | Q(parent=run))
    runs.filter(lease_until__isnull=False).update(lease_until=past)
    runs.filter(enqueued_at__isnull=False).update(enqueued_at=past)
    runs.filter(hold_until__isnull=False).update(hold_until=past)


def work_off_queue(until: Callable[[], bool] = lambda: False) -> None:
    """Take jobs as a worker does, and drive their runs here; alone in a process of its own where it must be."""
    jobs.subprocess = SimpleNamespace(run=lambda argv, **how: _in_a_process_of_its_own(int(argv[-1])))
    queue = django_rq.get_queue(QUEUE, job_class=DriveJob)
    while not until() and (found := queue.get_job_ids(0, 1)):
        job = queue.fetch_job(found[0])
        queue.remove(found[0])
        try:
            jobs.drive_run(*job.args)
        except InjectedFault:
            continue  # the slot's thread ends here; the worker goes on


def _in_a_process_of_its_own(run_id: int) -> None:
    connections.close_all()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            jobs.drive_alone(run_id)
            code = 0
        finally:
            os._exit(code)
    while os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1]):
        os.kill(os.getpid(), signal.SIGSTOP)  # what strikes the one is to stop both
        os.kill(pid, signal.SIGCONT)


def _approve(case: Case, run: Run) -> None:
    """Each request gets as many votes as it needs; a question is answered by looking outside."""
    for approval in Approval.objects.pending().filter(run=run).order_by("id"):
        happened = approval.kind != ApprovalKind.SETTLE or bool(case.effects())
        for name in ("bob", "carol")[: approval.required]:
            _vote(approval, name, happened)


def _leave(case: Case, run: Run) -> None:
    """Whoever approved first leaves the team before the call can start, so that others are asked once more."""
    for approval in Approval.objects.pending().filter(run=run):
        if run.approvals.exclude(pk=approval.pk).exists():
            _vote(approval, "carol", True)
            continue
        again(lambda approval=approval: _vote_and_leave(approval, "bob"))


def _vote_and_leave(approval: Approval, name: str) -> None:
    with transaction.atomic():
        if not approval.votes.exists():
            _vote(approval, name, True)
        Membership.objects.filter(team=approval.run.team, user__username=name).delete()


def _deny(case: Case, run: Run) -> None:
    for approval in Approval.objects.pending().filter(run=run):
        _vote(approval, "bob", False)


def _vote(approval: Approval, name: str, approve: bool) -> None:
    user = User.objects.get(username=name)
    again(
        lambda: decide_approval(
            approval.pk, user=user, approve=approve, args_sha256=approval.args_sha256, reason="As we said before."
        )
    )


def _wait_too_long(case: Case, run: Run) -> None:
    Approval.objects.pending().filter(run=run).update(expires_at=timezone.now() - timedelta(seconds=1))
    again(reconcile_once)


def _cancel(case: Case, run: Run) -> None:
    alice = User.objects.get(username="alice")
    again(lambda: cancel_run(run.pk, Actor.person(alice), "not needed any more"))


PEOPLE: dict[str, Callable[[Case, Run], Any]] = {
    "S1": _approve, "S2": _approve, "S3": _deny, "S4": _wait_too_long, "S5": _approve, "S6": _approve, "S7": _approve,
    "S8": _cancel, "S9": _leave, "S11": _cancel,
}  # fmt: skip

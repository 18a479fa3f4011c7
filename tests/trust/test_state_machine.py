"""Whatever people, workers, clocks and crashes do to runs, in any order: the invariants hold and every run can end."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import django_rq
import pytest
import redis
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from agent.loop import Outfit, drive
from agent.planner import Move, Planned, Transcript
from agent.toolhost import CallEnd, HostedCall
from runs import faults
from runs.faults import Fault
from runs.invariants import check_run
from runs.models import Approval, Run, Team
from runs.queue import QUEUE, DriveJob
from runs.reconcile import reconcile_once
from runs.services.actors import Actor
from runs.services.append import Overtaken
from runs.services.approvals import decide_approval
from runs.services.errors import Refused
from runs.services.leases import claim_run, release_lease
from runs.services.runs import add_note, cancel_run, create_run, hold_run, release_hold
from runs.states import TERMINAL, RunState
from tests.agent.scripted import calls, concludes
from tools.base import Status, ToolResult

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = 40
TICKET = {"title": "house: lamps open", "body": "All of them, all night."}
REPORT = {"verdict": "cannot_tell", "summary": "The lamps were open.", "severity": "SEV3", "claims": []}
POINTS = [point for point in faults.POINTS if point not in ("run.create", "approval.decide", "run.cancel")]


WHICH = st.integers(0, 1)
RARELY = st.integers(0, 3)  # what is irrevocable is done at 0 only, so that most examples go on


class Killed(BaseException):
    """Nothing in the product catches it, as nothing catches a kill."""


class Kill(Fault):
    def strike(self) -> None:
        raise Killed


class Tools:
    """Answers calls at once and honours keys, as the outside world of the crash sweep does in a process of its own."""

    def __init__(self) -> None:
        self.effects: Counter[str] = Counter()
        self._known: set[str] = set()

    def call(self, call: HostedCall) -> CallEnd:
        return self.call_many([call])[0]

    def call_many(self, called: Sequence[HostedCall]) -> list[CallEnd]:
        return [CallEnd(self._result(call), "returned", 1) for call in called]

    def _result(self, call: HostedCall) -> ToolResult:
        if call.tool != "create_ticket":
            return ToolResult(Status.SUCCESS, "Seen.", data={"sources": [], "alert": {}}, source="house")
        if call.context.key not in self._known:
            self._known.add(call.context.key)
            self.effects[call.context.key] += 1
        return ToolResult(Status.SUCCESS, "Created.", data={**call.args, "tracker": "local"}, source="tickets")


class Planner:
    """A pure function of the transcript: looks, asks for two tickets, looks again, concludes."""

    name = "analyst"
    ceiling_micro_usd = 1_000

    def next(self, transcript: Transcript, tools: Any, budget: Any, on_text: Any) -> Move:
        turn = sum(isinstance(item, Planned) for item in transcript.items)
        look, look_back = ("list_changes", {}), ("search_logs", {"level": "ERROR"})
        first, second = (("create_ticket", {**TICKET, "title": f"house: {what} open"}) for what in ("lamps", "doors"))
        return [calls(look), calls(look_back, first, second), calls(("query_metrics", {})), concludes(REPORT)][
            min(turn, 3)
        ]


@dataclass
class Living:
    """What one example works on."""

    team: Team
    people: dict[str, User]


class Machine(RuleBasedStateMachine):
    """Two runs; every rule is something that may happen at any time."""

    living: Living

    @initialize()
    def begin(self) -> None:
        faults.armed = None
        self.tools = Tools()
        redis.Redis.from_url(settings.REDIS_URL).flushall()
        self.ids = [self._create() for _ in range(2)]

    def _create(self) -> int:
        return create_run(
            goal="Who left the lamps open?", team=self.living.team, actor=Actor.person(self.living.people["alice"]),
            origin="api", sources=[{"name": "house", "url": "file:///nowhere", "env": ""}], planner="analyst",
            idempotency_key=uuid.uuid4().hex,
        ).run.pk  # fmt: skip

    @rule()
    def deliver(self) -> None:
        """A worker takes the next job, if there is one."""
        queue = django_rq.get_queue(QUEUE, job_class=DriveJob)
        for job_id in queue.get_job_ids(0, 1):
            run_id = queue.fetch_job(job_id).args[0]
            queue.remove(job_id)
            self._drive(run_id)

    @rule(which=WHICH)
    def deliver_again(self, which: int) -> None:
        self._drive(self.ids[which])

    @rule()
    def people_and_workers(self) -> None:
        """The course of a quiet day, so that examples get far enough to be struck late."""
        self.deliver()
        self.approve("bob")

    @rule(
        which=WHICH,
        point=st.sampled_from(POINTS),
        occurrence=st.integers(1, 4),
        mode=st.sampled_from("KEA"),
    )
    def deliver_and_strike(self, which: int, point: str, occurrence: int, mode: str) -> None:
        faults.armed = (Kill if mode == "K" else Fault)(point, occurrence, mode)
        try:
            self._drive(self.ids[which])
        except (Killed, faults.InjectedFault):
            pass
        finally:
            faults.armed = None

    def _drive(self, run_id: int) -> None:
        lease = claim_run(run_id, f"test:{uuid.uuid4().hex}", alone=True)
        if lease is None or lease.is_poisoned:
            return
        with suppress(Overtaken):
            drive(Run.objects.get(pk=run_id), lease, Outfit(Planner(), self.tools))
        release_lease(lease)

    @rule()
    def reconcile(self) -> None:
        reconcile_once()

    @rule()
    def lapse(self) -> None:
        past = timezone.now() - timedelta(hours=1)
        Run.objects.filter(pk__in=self.ids, lease_until__isnull=False).update(lease_until=past, deaths=0)
        Run.objects.filter(pk__in=self.ids).update(enqueued_at=past)

    @rule()
    def flush(self) -> None:
        redis.Redis.from_url(settings.REDIS_URL).flushall()

    @rule(who=st.sampled_from(["alice", "bob", "carol"]), sure=RARELY, changed=st.booleans())
    def vote(self, who: str, sure: int, changed: bool) -> None:
        for approval in Approval.objects.pending().filter(run__in=self.ids).order_by("id")[:1]:
            digest = "0" * 64 if changed else approval.args_sha256
            with suppress(Refused):
                decide_approval(
                    approval.pk, user=self.living.people[who], approve=sure > 0, args_sha256=digest,
                    reason="As we said before.",
                )  # fmt: skip

    @rule(who=st.sampled_from(["bob", "carol"]))
    def approve(self, who: str) -> None:
        for approval in Approval.objects.pending().filter(run__in=self.ids):
            with suppress(Refused):
                decide_approval(
                    approval.pk, user=self.living.people[who], approve=True, args_sha256=approval.args_sha256
                )

    @rule(sure=RARELY)
    def time_runs_out(self, sure: int) -> None:
        if sure == 0:
            self.expire()

    def expire(self) -> None:
        open_or_unused = Approval.objects.filter(run__in=self.ids, state__in=["PENDING", "APPROVED"])
        open_or_unused.update(expires_at=timezone.now() - timedelta(seconds=1))
        reconcile_once()

    @rule(which=WHICH)
    def hold(self, which: int) -> None:
        with suppress(Refused):
            hold_run(self.ids[which], Actor.system(), "wait a moment")

    @rule(which=WHICH)
    def release(self, which: int) -> None:
        with suppress(Refused):
            release_hold(self.ids[which], Actor.system())

    @rule(which=WHICH)
    def note(self, which: int) -> None:
        with suppress(Refused):
            add_note(self.ids[which], Actor.system(), "Look at the lamps.")

    @rule(which=WHICH, sure=RARELY)
    def cancel(self, which: int, sure: int) -> None:
        if sure == 0:
            with suppress(Refused):
                cancel_run(self.ids[which], Actor.system(), "not needed")

    @invariant()
    def no_effect_happens_twice(self) -> None:
        assert all(count == 1 for count in self.tools.effects.values())

    def teardown(self) -> None:
        """The record is sound now; and once people, clock and workers have had their turn, every run has ended."""
        for run_id in getattr(self, "ids", []):
            assert list(check_run(Run.objects.get(pk=run_id))) == []
            self._end(run_id)
            run = Run.objects.get(pk=run_id)
            assert run.state in TERMINAL, f"still {run.state}, {run.hold_reason}"
            assert list(check_run(run)) == []
        assert all(count == 1 for count in getattr(self, "tools", Tools()).effects.values())

    def _end(self, run_id: int) -> None:
        with suppress(Refused):
            release_hold(run_id, Actor.system())
        for _ in range(8):
            self.lapse()
            self._drive(run_id)
            if Run.objects.get(pk=run_id).state == RunState.NEEDS_APPROVAL:
                self.expire()


@pytest.fixture
def living(team: Team, alice: User, bob: User, carol: User, redis_url: str) -> Iterator[Living]:
    yield Living(team, {"alice": alice, "bob": bob, "carol": carol})
    faults.armed = None


def _explore(living: Living, examples: int) -> None:
    class Ours(Machine):
        pass

    Ours.living = living
    run_state_machine_as_test(
        Ours,
        settings=hypothesis_settings(
            max_examples=examples, stateful_step_count=STEPS, deadline=None, database=None,
            suppress_health_check=list(HealthCheck), print_blob=True,
        ),
    )  # fmt: skip


def test_nothing_that_may_happen_breaks_the_record(living: Living) -> None:
    _explore(living, 15)


@pytest.mark.slow
def test_nothing_that_may_happen_breaks_the_record_in_many_orders(living: Living, pytestconfig: pytest.Config) -> None:
    _explore(living, pytestconfig.getoption("--orders"))

"""The parts that keep a run whole, each alone: leases, poison, lost calls, late results, money, the stop switch."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from agent import jobs
from agent.alone import LoneDrivers
from agent.errors import Temporary
from agent.loop import Outfit, drive
from agent.planner import Move
from agent.toolhost import CallEnd, HostedCall
from runs import breaker
from runs.invariants import check_run
from runs.models import Approval, Run, Spending, Team, ToolCall
from runs.services import model_calls, spending
from runs.services.actors import Actor
from runs.services.append import Overtaken
from runs.services.approvals import decide_approval
from runs.services.halt import go_on, halt_all
from runs.services.leases import POISON, LeaseKeeper, claim_run, release_lease, still_holds
from runs.services.runs import cancel_run, create_run, hold_run
from runs.slots import Slots
from runs.states import ApprovalKind, CallStatus, RunState
from tests.agent.scripted import ScriptedPlanner, calls, concludes
from tools.base import Status, ToolResult

pytestmark = pytest.mark.django_db(transaction=True)

TICKET = ("create_ticket", {"title": "house: lamps open", "body": "All of them, all night."})
REPORT = {"verdict": "cannot_tell", "summary": "The lamps were open.", "severity": "SEV3", "claims": []}


class Tools:
    """Answers at once; `lost` says how calls that write end instead, `meanwhile` what happens while they are away."""

    def __init__(self, lost: str = "", meanwhile: Any = None):
        self.lost, self.meanwhile, self.sent = lost, meanwhile, []

    def call(self, call: HostedCall) -> CallEnd:
        if call.tool != "create_ticket":
            return CallEnd(ToolResult(Status.SUCCESS, "Seen.", data={"sources": [], "alert": {}}), "returned", 1)
        self.sent.append(call.context.key)
        if self.meanwhile:
            self.meanwhile()
        if self.lost:
            return CallEnd(ToolResult(Status.ERROR, "It crashed."), "crashed", 1)
        return CallEnd(ToolResult(Status.SUCCESS, "Created.", data={**call.args, "tracker": "local"}), "returned", 1)

    def call_many(self, called: list[HostedCall]) -> list[CallEnd]:
        return [self.call(one) for one in called]


@pytest.fixture
def run(team: Team, alice: User, bob: User) -> Run:
    return create_run(
        goal="Who left the lamps open?", team=team, actor=Actor.person(alice), origin="api", planner="analyst",
        sources=[{"name": "house", "url": "file:///nowhere", "env": ""}],
    ).run  # fmt: skip


def go(run: Run, planner: Any, tools: Tools | None = None) -> Run:
    lease = claim_run(run.pk, "test")
    assert lease is not None, "the run cannot be claimed"
    drive(Run.objects.get(pk=run.pk), lease, Outfit(planner, tools or Tools()))
    release_lease(lease)
    return Run.objects.get(pk=run.pk)


def approve_all(run: Run, user: User, approve: bool = True) -> None:
    for approval in Approval.objects.pending().filter(run=run):
        decide_approval(
            approval.pk, user=user, approve=approve, args_sha256=approval.args_sha256, reason="I have looked it up."
        )


def sound(run: Run) -> bool:
    return list(check_run(Run.objects.get(pk=run.pk))) == []


@pytest.mark.parametrize(("happened", "status"), [(True, CallStatus.SUCCESS), (False, CallStatus.ERROR)])
def test_what_became_of_a_lost_call_is_asked_and_it_is_not_sent_again(
    run: Run, alice: User, bob: User, happened: bool, status: str
) -> None:
    tools = Tools(lost="crashed")
    go(run, ScriptedPlanner(calls(TICKET)), tools)
    approve_all(run, bob)
    waiting = go(run, ScriptedPlanner(), tools)
    question = Approval.objects.get(run=run, kind=ApprovalKind.SETTLE)
    assert waiting.state == RunState.NEEDS_APPROVAL
    assert len(set(tools.sent)) == 1, "one call has one key however often it is sent"
    sent = len(tools.sent)
    approve_all(run, alice, happened)
    ended = go(run, ScriptedPlanner(concludes(REPORT)), tools)
    question.refresh_from_db()
    assert (ended.state, ToolCall.objects.get(run=run).status, len(tools.sent)) == (RunState.DONE, status, sent)
    assert question.state in ("APPROVED", "DENIED"), "the answer stands after the run has ended"
    assert sound(run)


def test_a_result_that_comes_after_cancel_is_written_on_the_cancelled_run(run: Run, bob: User) -> None:
    go(run, ScriptedPlanner(calls(TICKET)))
    approve_all(run, bob)
    ended = go(run, ScriptedPlanner(), Tools(meanwhile=lambda: cancel_run(run.pk, Actor.system())))
    assert ended.state == RunState.CANCELLED
    assert ToolCall.objects.get(run=run).status == CallStatus.SUCCESS
    assert sound(run)


def test_a_cancelled_run_starts_no_effect(run: Run, bob: User) -> None:
    go(run, ScriptedPlanner(calls(TICKET)))
    approve_all(run, bob)
    cancel_run(run.pk, Actor.system())
    assert claim_run(run.pk, "test") is None
    assert ToolCall.objects.get(run=run).status == CallStatus.VOID


def test_while_everything_is_halted_no_run_takes_a_step(run: Run, bob: User) -> None:
    halt_all(Actor.system(), "the wrong cluster")
    before = Run.objects.get(pk=run.pk).n_steps
    assert go(run, ScriptedPlanner()).n_steps == before
    go_on(Actor.system())
    assert go(run, ScriptedPlanner(concludes(REPORT))).state == RunState.DONE


def test_a_hold_that_comes_while_the_model_thinks_stays(run: Run) -> None:
    def think(transcript: Any) -> Move:
        hold_run(run.pk, Actor.system(), "wait for the deploy")
        return calls(TICKET)

    held = go(run, ScriptedPlanner(think))
    assert (held.hold_reason, held.n_model_calls) == ("wait for the deploy", 1)


def test_the_days_money_is_never_passed_by_many_who_ask_at_once(db: None, settings: Any) -> None:
    settings.DAILY_MICRO_USD = 1_000

    def ask(_: int) -> bool:
        try:
            return spending.reserve(90)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as askers:
        assert sum(askers.map(ask, range(40))) == 11
    assert Spending.objects.get().reserved_micro_usd == 990


def test_what_a_dead_driver_had_set_aside_counts_as_spent(run: Run) -> None:
    lease = claim_run(run.pk, "dead", alone=True)
    dead = Run.objects.get(pk=run.pk)
    assert lease and model_calls.reserve(dead, lease, 500)
    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    lease = claim_run(run.pk, "next", alone=True)
    following = Run.objects.get(pk=run.pk)
    assert lease and model_calls.reserve(following, lease, 200)
    row = Spending.objects.get()
    assert (row.spent_micro_usd, row.reserved_micro_usd, following.cost_micro_usd) == (500, 200, 500)


def test_a_driver_that_lost_its_lease_sets_nothing_aside(run: Run) -> None:
    lease = claim_run(run.pk, "first")
    Run.objects.update(lease_epoch=7)
    with pytest.raises(Overtaken):
        model_calls.reserve(Run.objects.get(pk=run.pk), lease, 500)
    assert spending.spent_today() == 0


def test_a_cancelled_run_leaves_nothing_set_aside(run: Run) -> None:
    lease = claim_run(run.pk, "first")
    assert lease and model_calls.reserve(Run.objects.get(pk=run.pk), lease, 500)
    cancel_run(run.pk, Actor.system())
    row = Spending.objects.get()
    assert (row.spent_micro_usd, row.reserved_micro_usd) == (500, 0)


def test_an_api_fault_holds_the_run_until_later_and_frees_its_worker(run: Run, redis_url: str) -> None:
    redis.Redis.from_url(redis_url).flushall()
    held = go(run, ScriptedPlanner(Temporary("The model is busy.", retry_after_s=30)))
    assert (held.state, held.attempt, held.hold_reason) == (RunState.PLAN, 1, "The model is busy.")
    assert 20 < (held.hold_until - timezone.now()).total_seconds() <= 30
    assert held.lease_until is None and claim_run(run.pk, "test") is None
    assert breaker.wait_s(run.planner) > 20, "a Retry-After holds for every worker"
    redis.Redis.from_url(redis_url).flushall()
    Run.objects.update(hold_until=timezone.now() - timedelta(seconds=1))
    ended = go(run, ScriptedPlanner(concludes(REPORT)))
    assert (ended.state, ended.attempt, ended.hold_reason) == (RunState.DONE, 0, "")


def test_after_five_faults_nobody_asks_and_then_one_probes(redis_url: str) -> None:
    shared = redis.Redis.from_url(redis_url)
    shared.flushall()
    for _ in range(5):
        assert breaker.wait_s("model") == 0
        breaker.report_fault("model")
    assert breaker.wait_s("model") > 50
    shared.delete("breaker:model:closed_until")  # a minute later
    assert [breaker.wait_s("model") > 0 for _ in range(3)] == [False, True, True]
    breaker.report_answer("model")
    assert breaker.wait_s("model") == 0


def test_a_lease_is_renewed_only_while_its_wait_is_within_its_deadline(run: Run, settings: Any) -> None:
    settings.LEASE_S, settings.HEARTBEAT_S = 2, 0.1
    lease = claim_run(run.pk, "hanging")
    keeper = LeaseKeeper()
    keeper.keep(lease, deadline_s=0)
    first = Run.objects.get(pk=run.pk).lease_until
    assert _soon(lambda: Run.objects.get(pk=run.pk).lease_until > first), "it is renewed at first"
    assert _soon(lambda: Run.objects.get(pk=run.pk).lease_until < timezone.now(), 8), "a hanging driver loses it"
    assert claim_run(run.pk, "next", alone=True) is not None
    assert not _after(lease, 0), "and may send nothing any more"


def test_a_process_that_stood_still_did_not_drive_meanwhile(run: Run) -> None:
    lease = claim_run(run.pk, "stopped by Ctrl-Z")
    now = time.monotonic()
    lease.fresh_until, lease._mark = now - 1_000, now - 1_020  # an hour's sleep would be the end of its time at work
    assert lease.lap_ms() == 20_000, "as long as it held the lease"
    assert lease.lap_ms() == 0, "and not again"


def _after(lease: Any, fresh_until: float) -> bool:
    lease.fresh_until = fresh_until
    return still_holds(lease)


def _soon(is_so: Any, patience_s: float = 5) -> bool:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if is_so():
            return True
        time.sleep(0.05)
    return False


def test_a_run_whose_process_died_is_next_driven_alone_and_after_three_deaths_fails(run: Run) -> None:
    assert claim_run(run.pk, "shared")
    for _ in range(POISON):
        Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        assert claim_run(run.pk, "shared") is None, "nobody else is risked for it"
        assert claim_run(run.pk, "alone", alone=True)
    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    jobs.drive_alone(run.pk)
    ended = Run.objects.get(pk=run.pk)
    assert (ended.state, ended.failure_code) == (RunState.FAILED, "poison")
    assert sound(run)


def test_a_run_driven_in_order_is_no_suspect_any_more(run: Run) -> None:
    claim_run(run.pk, "shared")
    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    claim_run(run.pk, "shared")
    release_lease(claim_run(run.pk, "alone", alone=True))
    assert claim_run(run.pk, "shared") is not None


def test_as_many_runs_at_a_time_as_there_are_slots() -> None:
    slots, hold, begun = Slots(2), threading.Event(), []
    for number in range(2):
        slots.fill(lambda run_id: (begun.append(run_id), hold.wait(5)), number)
    assert not slots.wait_for_one(0.05)
    hold.set()
    assert slots.wait_for_one(5) and slots.drain(5)
    assert sorted(begun) == [0, 1]


def test_a_slot_is_free_again_after_an_error() -> None:
    slots = Slots(1)
    slots.fill(lambda run_id: 1 / 0, 1)
    assert slots.wait_for_one(5)


def test_a_lone_driver_works_in_a_process_of_its_own(tmp_path: Path) -> None:
    drivers = LoneDrivers()
    assert not drivers.drive(1), "there is no warm process yet"
    drivers.start(lambda run_id: (tmp_path / str(run_id)).write_text("driven"), lambda: None)
    assert drivers.drive(7) and drivers.drive(8)
    assert [(tmp_path / name).read_text() for name in ("7", "8")] == ["driven", "driven"]

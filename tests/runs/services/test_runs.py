"""Creating, holding, noting and cancelling runs; leases and the reconciler."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from runs.models import Run, Step, Team
from runs.reconcile import stranded
from runs.services.actors import Actor
from runs.services.errors import Refused
from runs.services.leases import claim_run, release_lease, renew_lease
from runs.services.runs import Created, add_note, cancel_run, create_run, hold_run, release_hold, start_run
from runs.states import RunState
from tests.runs.making import make_run

pytestmark = pytest.mark.django_db
SOURCES = [{"name": "shop", "url": "file:///srv/shop", "env": ""}]


def _create(team: Team, user: User, goal: str = "Why did checkout page?", **more: object) -> Created:
    return create_run(goal=goal, team=team, actor=Actor.person(user), origin="api", sources=SOURCES, **more)


def test_a_run_starts_queued_with_one_step_that_says_who_asked(team: Team, alice: User) -> None:
    run = _create(team, alice).run
    step = Step.objects.get(run=run)
    assert (run.state, step.name, step.actor) == (RunState.QUEUED, "create", "user:alice")
    assert step.payload["sources"] == ["shop"]


@pytest.mark.parametrize(
    ("goal", "code"), [("", "empty_goal"), ("   \n", "empty_goal"), ("x" * 10_000, "goal_too_long")]
)
def test_a_goal_that_cannot_be_used_leaves_no_run(goal: str, code: str, team: Team, alice: User) -> None:
    with pytest.raises(Refused) as refusal:
        _create(team, alice, goal)
    assert (refusal.value.code, refusal.value.status, Run.objects.count()) == (code, 400, 0)


def test_the_same_key_is_the_same_run_and_another_body_is_refused(team: Team, alice: User, bob: User) -> None:
    first = _create(team, alice, idempotency_key="k1")
    again = _create(team, alice, idempotency_key="k1")
    assert (first.created, again.created, again.run.pk) == (True, False, first.run.pk)
    assert _create(team, bob, idempotency_key="k1").created, "a key belongs to the one who sent it"
    with pytest.raises(Refused, match="another body"):
        _create(team, alice, "Something else", idempotency_key="k1")


def test_a_secret_in_a_goal_is_not_kept(team: Team, alice: User) -> None:
    run = _create(team, alice, "Why does postgres://app:hunter2secret@db/shop refuse?").run
    assert "hunter2secret" not in run.goal + Step.objects.get(run=run).body


def test_start_false_waits_until_somebody_starts_it(team: Team, alice: User) -> None:
    run = _create(team, alice, start=False).run
    assert claim_run(run.pk, "w1") is None
    start_run(run.pk, Actor.person(alice))
    assert claim_run(run.pk, "w1") is not None


def test_a_held_run_is_not_driven_until_released(team: Team, alice: User) -> None:
    run = make_run(team, alice, state=RunState.PLAN)
    hold_run(run.pk, Actor.person(alice), "let me look first")
    assert claim_run(run.pk, "w1") is None and stranded() == []
    release_hold(run.pk, Actor.person(alice))
    assert stranded() == [run.pk]


def test_a_note_is_a_step(team: Team, alice: User) -> None:
    run = make_run(team, alice, state=RunState.PLAN)
    add_note(run.pk, Actor.person(alice), "look at the cache too")
    assert Step.objects.get(run=run).payload == {"text": "look at the cache too"}


@pytest.mark.parametrize("verb", [hold_run, add_note])
def test_an_ended_run_is_left_alone(verb: object, team: Team, alice: User) -> None:
    run = make_run(team, alice, state=RunState.DONE)
    with pytest.raises(Refused, match="has ended"):
        verb(run.pk, Actor.person(alice), "too late")  # type: ignore[operator]
    with pytest.raises(Refused):
        cancel_run(run.pk, Actor.person(alice))


def test_cancel_fences_the_driver_out_and_may_be_repeated(team: Team, alice: User) -> None:
    run = make_run(team, alice, state=RunState.PLAN)
    lease = claim_run(run.pk, "w1")
    assert lease is not None
    cancel_run(run.pk, Actor.person(alice), "wrong cluster")
    assert not renew_lease(lease)
    assert cancel_run(run.pk, Actor.person(alice)).state == RunState.CANCELLED
    assert Step.objects.filter(run=run).count() == 1


def test_one_driver_at_a_time_and_each_has_a_higher_epoch(team: Team, alice: User) -> None:
    run = make_run(team, alice)
    first = claim_run(run.pk, "w1")
    assert first is not None and claim_run(run.pk, "w2") is None
    release_lease(first)
    second = claim_run(run.pk, "w2")
    assert second is not None and second.epoch == first.epoch + 1
    assert not renew_lease(first)


def _lapse() -> None:
    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))


def test_a_heartbeat_that_comes_late_does_not_take_a_lease_back_that_was_given_back(team: Team, alice: User) -> None:
    run = make_run(team, alice)
    lease = claim_run(run.pk, "a")
    assert lease is not None and renew_lease(lease)
    release_lease(lease)
    assert not renew_lease(lease), "the keeper read its list before the drive ended"
    assert claim_run(run.pk, "b") is not None, "nobody drives it, so the next one may"


def test_the_run_of_a_driver_that_died_is_next_driven_alone(team: Team, alice: User) -> None:
    run = make_run(team, alice, state=RunState.PLAN)
    assert claim_run(run.pk, "w1") is not None and stranded() == []
    _lapse()
    assert stranded() == [run.pk]
    assert claim_run(run.pk, "w2") is None
    lease = claim_run(run.pk, "w2", alone=True)
    assert lease is not None and (lease.epoch, lease.deaths) == (2, 0), "a shared process does not count against it"


def test_a_run_that_kills_three_processes_of_its_own_is_poison(team: Team, alice: User) -> None:
    run = make_run(team, alice, state=RunState.PLAN)
    for deaths in range(4):
        lease = claim_run(run.pk, f"w{deaths}", alone=True)
        assert lease is not None and (lease.deaths, lease.is_poisoned) == (deaths, deaths == 3)
        _lapse()


def test_progress_clears_a_suspect(team: Team, alice: User) -> None:
    run = make_run(team, alice, state=RunState.PLAN)
    claim_run(run.pk, "w1", alone=True)
    _lapse()
    lease = claim_run(run.pk, "w2", alone=True)
    assert lease is not None and lease.deaths == 1
    release_lease(lease)
    assert claim_run(run.pk, "w3") is not None


@pytest.mark.parametrize("state", [RunState.NEEDS_APPROVAL, RunState.DONE, RunState.FAILED, RunState.CANCELLED])
def test_a_run_that_waits_or_has_ended_is_not_stranded(state: RunState, team: Team, alice: User) -> None:
    run = make_run(team, alice, state=state)
    assert stranded() == [] and claim_run(run.pk, "w1") is None


def test_a_run_that_was_just_enqueued_is_given_its_time(team: Team, alice: User) -> None:
    make_run(team, alice, enqueued_at=timezone.now())
    assert stranded() == []

"""The state machine: every transition that is drawn happens and is one chained Step; every other is refused."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection

from runs.audit.chain import verify_chain
from runs.models import Run, Step, Team
from runs.services.append import NotAllowed, Overtaken, advance, append
from runs.states import ACTIVE, TERMINAL, RunState, StepKind
from tests.runs.making import make_run

pytestmark = pytest.mark.django_db

DRAWN = {
    "begin": {"QUEUED": "PLAN"},
    "choose_tools": {"PLAN": "EXECUTE_TOOL"},
    "conclude": {"PLAN": "EVALUATE"},
    "ask_approval": {"EXECUTE_TOOL": "NEEDS_APPROVAL"},
    "resume": {"NEEDS_APPROVAL": "EXECUTE_TOOL"},
    "none_approved": {"NEEDS_APPROVAL": "EVALUATE"},
    "tools_returned": {"EXECUTE_TOOL": "EVALUATE"},
    "replan": {"EVALUATE": "PLAN"},
    "finish": {"EVALUATE": "DONE"},
    "fail": dict.fromkeys(ACTIVE, "FAILED"),
    "cancel": dict.fromkeys(set(RunState) - TERMINAL, "CANCELLED"),
}
EVERY = [(event, state) for event in DRAWN for state in RunState]


@pytest.mark.parametrize(("event", "state"), EVERY)
def test_a_transition_happens_exactly_where_it_is_drawn(event: str, state: RunState, team: Team, alice: User) -> None:
    run = make_run(team, alice, state=state)
    target = DRAWN[event].get(state)
    if target is None:
        with pytest.raises(NotAllowed):
            advance(run, event, actor="driver")
    else:
        step = advance(run, event, actor="driver")
        assert (step.before, step.after, step.seq) == (state, target, 1)
    stored = Run.objects.get(pk=run.pk)
    assert stored.state == (target or state)
    assert stored.n_steps == Step.objects.filter(run=run).count() == (1 if target else 0)


def test_the_model_has_no_transition_that_is_not_drawn(team: Team, alice: User) -> None:
    run = make_run(team, alice)
    found = {(t.name, t.source, t.target) for t in run.get_all_state_transitions()}
    assert found == {(event, source, target) for event, moves in DRAWN.items() for source, target in moves.items()}


def test_state_cannot_be_assigned(team: Team, alice: User) -> None:
    with pytest.raises(AttributeError):
        make_run(team, alice).state = RunState.DONE


def test_a_stale_copy_cannot_write(team: Team, alice: User) -> None:
    run = make_run(team, alice, state=RunState.PLAN)
    stale = Run.objects.get(pk=run.pk)
    append(run, StepKind.NOTE, "note", actor="user:alice", payload={"text": "first"})
    with pytest.raises(Overtaken):
        advance(stale, "choose_tools", actor="driver")
    assert Step.objects.filter(run=run).count() == 1


def test_a_cycle_back_to_the_same_state_does_not_let_a_stale_copy_write(team: Team, alice: User) -> None:
    run = make_run(team, alice, state=RunState.PLAN)
    stale = Run.objects.get(pk=run.pk)
    for event in ("choose_tools", "tools_returned", "replan"):
        advance(run, event, actor="driver")
    with pytest.raises(Overtaken):
        advance(stale, "choose_tools", actor="driver")


def test_a_driver_with_an_old_epoch_cannot_write(team: Team, alice: User) -> None:
    run = make_run(team, alice, state=RunState.PLAN, lease_epoch=5)
    with pytest.raises(Overtaken):
        advance(run, "choose_tools", actor="driver", epoch=4)
    advance(Run.objects.get(pk=run.pk), "choose_tools", actor="driver", epoch=5)


@pytest.mark.usefixtures("unguarded")
def test_every_step_is_chained_and_damage_is_named(team: Team, alice: User) -> None:
    run = make_run(team, alice)
    for event in ("begin", "choose_tools", "tools_returned", "replan"):
        advance(run, event, actor="driver", payload={"n": 1.0, "text": "größer \x00 \ud800"})
    assert _damage(run) is None
    Step.objects.filter(run=run, seq=2).update(actor="user:mallory")
    assert str(_damage(run)) == f"run {run.pk}, step 2: the step was altered"


@pytest.mark.usefixtures("unguarded")
@pytest.mark.parametrize(
    ("harm", "seq", "kind"),
    [
        ("UPDATE runs_step SET body = '{}' WHERE seq = 3", 3, "payload"),
        ("DELETE FROM runs_step WHERE seq = 2", 2, "gap"),
        ("DELETE FROM runs_step WHERE seq = 4", 4, "tail"),
    ],
)
def test_damage_has_a_kind(harm: str, seq: int, kind: str, team: Team, alice: User) -> None:
    run = make_run(team, alice)
    for event in ("begin", "choose_tools", "tools_returned", "replan"):
        advance(run, event, actor="driver", payload={"event": event})
    with connection.cursor() as cursor:
        cursor.execute(harm)
    damage = _damage(run)
    assert damage is not None and (damage.seq, damage.kind) == (seq, kind)


def _damage(run: Run) -> object:
    fresh = Run.objects.get(pk=run.pk)
    return verify_chain(run.pk, fresh.n_steps, fresh.head_mac, Step.objects.filter(run=run).order_by("seq"))


def test_two_steps_cannot_share_a_seq(team: Team, alice: User) -> None:
    run = make_run(team, alice)
    step = append(run, StepKind.NOTE, "note", actor="user:alice", payload={})
    step.pk = None
    with pytest.raises(IntegrityError):
        step.save(force_insert=True)

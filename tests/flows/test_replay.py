"""A finished run walks again from its recordings, step for step, without asking anybody outside."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import User

from opspilot_site.replay import Missing, replay
from runs.models import Approval, Evidence, Run, Step, Team, Ticket, ToolCall
from runs.services.actors import Actor
from runs.services.approvals import decide_approval
from runs.services.edits import edit_request
from runs.services.runs import add_note
from tests.agent.scripted import ScriptedPlanner, calls, concludes
from tests.flows.driving import go_on, start
from tests.flows.incident import write_incident
from tests.flows.test_investigation import LOOK, REPORT, TICKET

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ended(team: Team, alice: User, bob: User, tmp_path: Path) -> Run:
    """Looked, was told something, asked for a ticket, got it, concluded."""
    run = start(team, alice, write_incident(tmp_path / "incident"), "Investigate and create a ticket")
    run = go_on(run, ScriptedPlanner(LOOK, calls(("create_ticket", TICKET))))
    add_note(run.pk, Actor.person(alice), "the cache was flushed at noon")
    approval = Approval.objects.get(run=run)
    decide_approval(approval.pk, user=bob, approve=True, args_sha256=approval.args_sha256)
    return go_on(run, ScriptedPlanner(concludes(REPORT)))


def _rows() -> tuple[int, ...]:
    return tuple(model.objects.count() for model in (Run, Step, ToolCall, Evidence, Approval, Ticket))


def test_every_step_is_the_same_and_nothing_is_kept(ended: Run) -> None:
    before = _rows()
    found = replay(ended)
    assert found.difference is None, found.difference
    assert found.steps == ended.n_steps
    assert _rows() == before


def test_what_a_person_changed_is_changed_again(
    team: Team, alice: User, bob: User, carol: User, tmp_path: Path
) -> None:
    run = start(team, alice, write_incident(tmp_path / "incident"), "Investigate and create a ticket")
    run = go_on(run, ScriptedPlanner(LOOK, calls(("create_ticket", TICKET))))
    asked = Approval.objects.get(run=run)
    wanted = {**asked.call.args, "title": "billing: out of connections"}
    edited = edit_request(asked.pk, user=bob, args=wanted, args_sha256=asked.args_sha256, door="api")
    decide_approval(edited.pk, user=carol, approve=True, args_sha256=edited.args_sha256)
    ended = go_on(run, ScriptedPlanner(concludes(REPORT)))
    assert Ticket.objects.get().title == "billing: out of connections"

    before = _rows()
    found = replay(ended)

    assert found.difference is None, found.difference
    assert _rows() == before


def test_a_recording_that_is_missing_stops_it(ended: Run) -> None:
    call = ToolCall.objects.get(run=ended, tool="list_changes")
    ToolCall.objects.filter(pk=call.pk).update(started_at=None)
    with pytest.raises(Missing, match="no recorded result of list_changes"):
        replay(ended)


def test_a_result_that_was_changed_shows_as_a_difference(ended: Run) -> None:
    Evidence.objects.filter(run=ended, number=1).update(summary="12 lines match")
    found = replay(ended)
    assert found.difference is not None and "12 lines match" in str(found.difference.replayed)


def test_a_run_that_still_waits_cannot_be_replayed(team: Team, alice: User, tmp_path: Path) -> None:
    with pytest.raises(Missing, match="has not ended"):
        replay(start(team, alice, write_incident(tmp_path / "incident")))

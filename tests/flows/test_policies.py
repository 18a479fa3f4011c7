"""Whole investigations under rules that look at more than the tool: what was copied, how much is asked at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from runs.models import Approval, PolicyRule, Run, Team, Ticket
from runs.services.approvals import decide_approval
from runs.services.edits import edit_request
from runs.states import ApprovalState, Effect, RunState
from tests.agent.scripted import ScriptedPlanner, calls, concludes
from tests.flows.driving import go_on, start
from tests.flows.incident import write_incident

pytestmark = pytest.mark.django_db(transaction=True)

LOOK = calls(("search_logs", {"level": "ERROR"}))
END = concludes({"verdict": "cannot_tell", "summary": "Nobody can tell from this."})
OWN_WORDS = {
    "title": "billing: out of connections",
    "body": "The pool is too small for this load.",
    "service": "billing",
}
COPIED = OWN_WORDS | {"body": "Errors say: CONNECTION%20not%20available,%20timed%20out%20after 5000ms"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_incident(tmp_path / "incident")


@pytest.fixture
def stricter(team: Team) -> None:
    PolicyRule.objects.create(
        team=team, order=1, name="copied text needs a second pair of eyes", risk="write", effect=Effect.APPROVE,
        votes=2, conditions={"tainted": True},
    )  # fmt: skip


def _asked(team: Team, starter: User, folder: Path, ticket: dict[str, str]) -> Approval:
    run = go_on(start(team, starter, folder), ScriptedPlanner(LOOK, calls(("create_ticket", ticket))))
    assert run.state == RunState.NEEDS_APPROVAL
    return run.approvals.get()


def _approved_by(voter: User, approval: Approval) -> Approval:
    return decide_approval(approval.pk, user=voter, approve=True, args_sha256=approval.args_sha256)


def test_a_ticket_with_copied_text_needs_one_more_vote(
    stricter: None, team: Team, alice: User, bob: User, carol: User, folder: Path
) -> None:
    approval = _asked(team, alice, folder, COPIED)

    assert (approval.required, approval.rule["name"]) == (2, "copied text needs a second pair of eyes")
    assert [(mark["argument"], mark["sources"]) for mark in approval.call.taint] == [("body", ["E1"])]
    assert _approved_by(bob, approval).state == ApprovalState.PENDING
    assert _approved_by(carol, approval).state == ApprovalState.APPROVED
    go_on(Run.objects.get(pk=approval.run_id), ScriptedPlanner(END))
    assert Ticket.objects.get().body == COPIED["body"]


def test_a_ticket_in_the_planners_own_words_needs_one(
    stricter: None, team: Team, alice: User, bob: User, folder: Path
) -> None:
    approval = _asked(team, alice, folder, OWN_WORDS)

    assert (approval.required, approval.call.taint) == (1, [])
    assert _approved_by(bob, approval).state == ApprovalState.APPROVED


def test_copied_text_may_be_refused_outright(stricter: None, team: Team, alice: User, folder: Path) -> None:
    PolicyRule.objects.filter(team=team).update(effect=Effect.REFUSE)

    run = go_on(start(team, alice, folder), ScriptedPlanner(LOOK, calls(("create_ticket", COPIED)), END))

    assert run.calls.get(tool="create_ticket").status == "refused"
    assert not run.approvals.exists()


def test_the_page_marks_what_was_copied_and_from_where(team: Team, alice: User, as_bob: Client, folder: Path) -> None:
    approval = _asked(team, alice, folder, COPIED)

    page = as_bob.get(f"/approvals/{approval.pk}/").content.decode()
    assert page.count("argument--copied") == 1
    assert "from E1, untrusted" in page
    assert "copied text" in as_bob.get("/admin/approvals/").content.decode()


def test_an_edit_is_looked_through_for_copied_text_too(
    stricter: None, team: Team, alice: User, bob: User, carol: User, folder: Path
) -> None:
    approval = _asked(team, alice, folder, OWN_WORDS)

    edited = edit_request(approval.pk, user=bob, args=COPIED, args_sha256=approval.args_sha256)

    assert [(mark["argument"], mark["sources"]) for mark in edited.call.taint] == [("body", ["E1"])]
    assert (edited.required, edited.rule["name"]) == (2, "copied text needs a second pair of eyes")
    cleaned = edit_request(edited.pk, user=carol, args=OWN_WORDS, args_sha256=edited.args_sha256)
    assert (cleaned.required, cleaned.call.taint) == (1, [])

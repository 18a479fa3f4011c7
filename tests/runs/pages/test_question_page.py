"""The page that asks whether a call did happen whose answer was lost: where to look, and never a word of approving."""

from __future__ import annotations

import html

import pytest
import re2
from django.contrib.auth.models import User
from django.test import Client

from runs.models import Approval, Run, Team, ToolCall, Vote
from runs.services.actors import Actor
from runs.services.approvals import decide_approval
from runs.services.runs import cancel_run
from runs.services.teams import add_member
from runs.states import ApprovalState, CallStatus, Role, RunState
from tests.runs.making import make_question, make_request


@pytest.fixture
def question(team: Team, alice: User) -> Approval:
    return make_question(team, alice)


def shown(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    body = answer.content.decode().partition("<main")[2] or answer.content.decode()
    return html.unescape(re2.sub(r"\s+", " ", re2.sub(r"<[^>]+>", " ", body)))


def answered(client: Client, question: Approval, decision: str, **more: str):
    body = {"decision": decision, "args_sha256": question.args_sha256, **more}
    return client.post(f"/approvals/{question.pk}/decide", body)


def test_it_says_what_is_known_where_to_look_and_what_was_sent_before_it_asks(
    as_bob: Client, question: Approval
) -> None:
    page = shown(as_bob, f"/approvals/{question.pk}/")
    order = [
        "Did this happen? Create a ticket in OpsPilot.", "The process was lost between sending",
        "Look at", "the tickets kept here (OPSPILOT_TICKETS", "For the key", question.call.key, "Sent",
        "You may answer.", "Exactly what was sent", "All ten connections are in use.",
        "does not expire", "Checked by the server", "It did not", "It happened",
    ]  # fmt: skip
    places = [page.rfind(words) if words in ("It did not", "It happened") else page.find(words) for words in order]
    assert -1 not in places, [words for words, place in zip(order, places, strict=True) if place == -1]
    assert places == sorted(places)


def test_nothing_on_it_speaks_of_approving_or_of_a_planner(as_bob: Client, question: Approval) -> None:
    page = shown(as_bob, f"/approvals/{question.pk}/").lower()
    for word in ("approve ", "approved", "deny", "denied", "votes", "written by the planner", " left"):
        assert word not in page, word


@pytest.mark.parametrize(
    ("decision", "state", "status", "words"),
    [
        ("approve", ApprovalState.APPROVED, CallStatus.SUCCESS, "You said that it happened"),
        ("deny", ApprovalState.DENIED, CallStatus.ERROR, "You said that it did not happen"),
    ],
)
def test_the_answer_needs_no_reason_and_is_shown_as_an_answer(
    as_bob: Client, question: Approval, decision: str, state: str, status: str, words: str
) -> None:
    assert answered(as_bob, question, decision).status_code == 302
    question.refresh_from_db()
    assert (question.state, ToolCall.objects.get().status) == (state, status)
    assert Run.objects.get().state == RunState.EXECUTE_TOOL
    page = shown(as_bob, f"/approvals/{question.pk}/")
    assert words in page
    assert "Nothing is sent again." in page
    assert "What did you see?" not in page


def test_what_was_seen_is_kept_with_the_answer(as_bob: Client, question: Approval) -> None:
    answered(as_bob, question, "approve", reason="It is OPS-412.")
    assert "“It is OPS-412.”" in shown(as_bob, f"/approvals/{question.pk}/")
    assert ToolCall.objects.get().summary == "bob says it happened. It is OPS-412."


def test_who_started_the_run_may_answer_too(as_alice: Client, bob: User, question: Approval) -> None:
    page = shown(as_alice, f"/approvals/{question.pk}/")
    assert "You may answer. So could bob." in page
    assert answered(as_alice, question, "deny").status_code == 302


def test_a_viewer_reads_who_can_and_answers_nothing(client: Client, team: Team, bob: User, question: Approval) -> None:
    viewer = User.objects.create_user("vic")
    add_member(team, viewer, Role.VIEWER)
    client.force_login(viewer)
    page = shown(client, f"/approvals/{question.pk}/")
    assert "You may not answer. Viewers may look only; alice or bob can." in page
    assert answered(client, question, "approve").status_code == 403
    assert not Vote.objects.exists()


def test_another_team_sees_no_question(as_mallory: Client, question: Approval) -> None:
    assert as_mallory.get(f"/approvals/{question.pk}/").status_code == 404
    assert answered(as_mallory, question, "approve").status_code == 404


def test_a_destructive_call_that_was_lost_is_answered_without_typing_its_target(
    as_bob: Client, team: Team, alice: User
) -> None:
    question = make_question(team, alice, risk="destructive")
    assert answered(as_bob, question, "approve").status_code == 302


def test_after_a_cancellation_nobody_has_said_it(as_bob: Client, alice: User, question: Approval) -> None:
    cancel_run(question.run_id, Actor.person(alice))
    page = shown(as_bob, f"/approvals/{question.pk}/")
    assert "Nobody said whether it happened." in page
    assert "Your answer" not in page


def test_an_open_page_learns_of_another_persons_answer(as_bob: Client, alice: User, question: Approval) -> None:
    part = f"/approvals/{question.pk}/part"
    version = re2.search(r'data-version="([^"]+)"', as_bob.get(part).content.decode())
    assert version is not None
    assert as_bob.get(part, {"version": version[1]}).status_code == 204
    decide_approval(question.pk, user=alice, approve=False, args_sha256=question.args_sha256)
    assert "alice said that it did not happen" in shown(as_bob, f"{part}?version={version[1]}")


def test_list_run_page_and_queue_ask_the_same_question(as_bob: Client, question: Approval) -> None:
    for path in ("/approvals/", f"/runs/{question.run_id}/", "/?tab=needs", "/admin/approvals/", "/admin/"):
        assert "Did this happen?" in shown(as_bob, path), path
    run_page = shown(as_bob, f"/runs/{question.run_id}/")
    assert "its answer was lost" in run_page
    assert "Look and answer" in run_page
    assert "Nothing has happened yet" not in run_page
    assert "no time limit" in shown(as_bob, "/approvals/")


def test_the_badge_of_an_ordinary_request_says_how_long_it_waits(as_bob: Client, team: Team, alice: User) -> None:
    make_request(team, alice)
    assert re2.search(r"Waiting for approval · (\d+ (d|h|min) ?)+ left", shown(as_bob, "/?tab=needs"))


def test_an_answer_stands_among_the_decisions_in_its_own_words(as_bob: Client, question: Approval) -> None:
    answered(as_bob, question, "deny")
    page = shown(as_bob, "/approvals/")
    assert "bob: it did not happen" in page
    assert "Denied" not in page

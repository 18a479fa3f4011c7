"""The approval queue of the admin: its order, its cost, and deciding several requests at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs.models import Approval, Team, Vote
from runs.services.approvals import decide_approval
from runs.states import ApprovalState
from tests.runs.making import make_question, make_request

REASON = "Nobody needs these tickets"


def decide(client: Client, approvals: list[Approval], decision: str, **more: object):
    body = {f"args_sha256-{a.pk}": a.args_sha256 for a in approvals}
    return client.post(
        "/admin/approvals/decide", {"id": [a.pk for a in approvals], "decision": decision, **body, **more}, follow=True
    )


def states() -> list[str]:
    return list(Approval.objects.order_by("pk").values_list("state", flat=True))


def test_what_one_can_decide_comes_first_then_what_waits_for_others(
    as_bob: Client, team: Team, alice: User, bob: User
) -> None:
    make_request(team, bob)
    make_request(team, alice)
    done = make_request(team, alice)
    decide_approval(done.pk, user=bob, approve=False, reason=REASON, args_sha256=done.args_sha256)
    page = as_bob.get("/admin/approvals/").content.decode()
    places = [page.index(words) for words in ("Can decide", "Waiting for others", "You started this run", "Decided")]
    assert places == sorted(places)


def test_the_soonest_to_expire_is_first_and_amber_below_ten_minutes(as_bob: Client, team: Team, alice: User) -> None:
    late, soon = make_request(team, alice), make_request(team, alice)
    Approval.objects.filter(pk=soon.pk).update(expires_at=timezone.now() + timedelta(minutes=9))
    page = as_bob.get("/admin/approvals/").content.decode()
    assert page.index(f"/approvals/{soon.pk}/") < page.index(f"/approvals/{late.pk}/")
    assert page.count("queue__left--soon") == 1


def test_a_vote_given_moves_the_request_to_what_waits_for_others(
    as_bob: Client, bob: User, team: Team, alice: User
) -> None:
    approval = make_request(team, alice, votes=2)
    decide_approval(approval.pk, user=bob, approve=True, args_sha256=approval.args_sha256)
    page = as_bob.get("/admin/approvals/").content.decode()
    assert "Can decide" not in page
    assert "You have voted" in page


def test_the_list_costs_the_same_for_three_requests_and_for_thirty(
    as_bob: Client, team: Team, alice: User, bob: User
) -> None:
    for _ in range(2):
        make_request(team, alice)
    make_request(team, bob)
    three = _cost(as_bob)
    for _ in range(26):
        make_request(team, alice)
    make_request(team, bob)
    assert _cost(as_bob) == three
    assert three <= 14


def _cost(client: Client) -> int:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert client.get("/admin/approvals/").status_code == 200
    return len(queries)


def test_the_queue_of_another_team_is_not_shown(as_mallory: Client, team: Team, alice: User) -> None:
    make_request(team, alice)
    assert "Nothing waits for you" in as_mallory.get("/admin/approvals/").content.decode()


def test_the_list_itself_offers_no_way_to_decide(as_bob: Client, team: Team, alice: User) -> None:
    make_request(team, alice)
    page = as_bob.get("/admin/approvals/").content.decode()
    assert 'action="/admin/approvals/decide"' not in page
    assert "accesskey" not in page


def test_several_are_denied_with_one_reason(as_bob: Client, team: Team, alice: User) -> None:
    approvals = [make_request(team, alice) for _ in range(3)]
    page = decide(as_bob, approvals, "deny", reason=REASON).content.decode()
    assert "Denied 3 of 3." in page
    assert states() == [ApprovalState.DENIED] * 3
    assert set(Vote.objects.values_list("door", "reason")) == {("admin", REASON)}


def test_several_denials_without_a_reason_change_nothing(as_bob: Client, team: Team, alice: User) -> None:
    page = decide(as_bob, [make_request(team, alice)], "deny", reason="no").content.decode()
    assert "Say why in at least 10 characters" in page
    assert states() == [ApprovalState.PENDING]


def test_equal_write_calls_are_approved_together_after_a_page_that_shows_each_in_full(
    as_bob: Client, team: Team, alice: User
) -> None:
    approvals = [make_request(team, alice) for _ in range(2)]
    answer = as_bob.get("/admin/approvals/confirm", {"id": [a.pk for a in approvals], "decision": "approve"})
    page = answer.content.decode()
    assert page.count("All ten connections are in use.") == 2
    assert all(f'name="args_sha256-{a.pk}" value="{a.args_sha256}"' in page for a in approvals)
    assert not Vote.objects.exists()
    assert "Approved 2 of 2." in decide(as_bob, approvals, "approve").content.decode()
    assert states() == [ApprovalState.APPROVED] * 2


@pytest.mark.parametrize("risk", ["destructive", "read_egress"])
def test_only_writes_are_approved_together(as_bob: Client, team: Team, alice: User, risk: str) -> None:
    approvals = [make_request(team, alice), make_request(team, alice)]
    Approval.objects.filter(pk=approvals[0].pk).update(risk=risk)
    confirm = as_bob.get(
        "/admin/approvals/confirm", {"id": [a.pk for a in approvals], "decision": "approve"}, follow=True
    )
    assert "Only calls of the risk “write” are approved together" in confirm.content.decode()
    decide(as_bob, approvals, "approve")
    assert states() == [ApprovalState.PENDING] * 2


def test_calls_of_different_tools_are_not_approved_together(as_bob: Client, team: Team, alice: User) -> None:
    approvals = [make_request(team, alice), make_request(team, alice)]
    Approval.objects.filter(pk=approvals[0].pk).update(tool="post_message")
    assert "Only calls of one tool" in decide(as_bob, approvals, "approve").content.decode()
    assert states() == [ApprovalState.PENDING] * 2


def test_more_than_one_screen_is_refused(as_bob: Client, team: Team, alice: User) -> None:
    approvals = [make_request(team, alice) for _ in range(11)]
    assert "at most 10" in decide(as_bob, approvals, "deny", reason=REASON).content.decode()
    assert set(states()) == {ApprovalState.PENDING}


def test_one_refusal_does_not_stop_the_others_and_is_said(as_bob: Client, team: Team, alice: User, bob: User) -> None:
    own, alices = make_request(team, bob), make_request(team, alice)
    page = decide(as_bob, [own, alices], "approve").content.decode()
    assert "Approved 1 of 2." in page
    assert f"Request {own.pk} was not decided. You started this run" in page
    assert states() == [ApprovalState.PENDING, ApprovalState.APPROVED]


def test_a_request_whose_arguments_changed_since_the_confirm_page_is_not_decided(
    as_bob: Client, team: Team, alice: User
) -> None:
    approval = make_request(team, alice)
    approval.call.args = {**approval.call.args, "title": "something else entirely"}
    approval.call.save()
    assert "The arguments changed" in decide(as_bob, [approval], "approve").content.decode()
    assert states() == [ApprovalState.VOID]


def test_a_foreign_approver_and_an_operator_decide_nothing(
    as_mallory: Client, as_alice: Client, team: Team, alice: User
) -> None:
    approval = make_request(team, alice)
    assert "None of the ticked requests is open" in decide(as_mallory, [approval], "approve").content.decode()
    assert decide(as_alice, [approval], "approve").status_code == 403
    assert states() == [ApprovalState.PENDING]


@pytest.mark.parametrize("method", ["get", "head", "put", "delete"])
def test_deciding_is_a_post(as_bob: Client, team: Team, alice: User, method: str) -> None:
    approval = make_request(team, alice)
    url = f"/admin/approvals/decide?id={approval.pk}&decision=approve&args_sha256-{approval.pk}={approval.args_sha256}"
    assert getattr(as_bob, method)(url).status_code == 405
    assert states() == [ApprovalState.PENDING]


def test_deciding_wants_the_forms_token(bob: User, team: Team, alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(bob)
    approval = make_request(team, alice)
    assert decide(client, [approval], "deny", reason=REASON).status_code == 403
    assert states() == [ApprovalState.PENDING]


def test_an_empty_queue_names_the_last_decision(as_bob: Client, bob: User, team: Team, alice: User) -> None:
    approval = make_request(team, alice)
    decide_approval(approval.pk, user=bob, approve=False, reason=REASON, args_sha256=approval.args_sha256)
    page = as_bob.get("/admin/approvals/").content.decode()
    assert "Nothing waits for you" in page
    assert "Last decision: Denied by bob" in page


@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_a_question_is_answered_alone_and_not_ticked(as_bob: Client, team: Team, alice: User, decision: str) -> None:
    question, request = make_question(team, alice), make_request(team, alice)
    page = as_bob.get("/admin/approvals/").content.decode()
    assert f'value="{request.pk}" aria-label="Select' in page
    assert f'value="{question.pk}" aria-label="Select' not in page
    refused = decide(as_bob, [request, question], decision, reason=REASON).content.decode()
    assert "answered one by one" in refused
    confirm = as_bob.get("/admin/approvals/confirm", {"id": [question.pk], "decision": decision}, follow=True)
    assert "answered one by one" in confirm.content.decode()
    assert states() == [ApprovalState.PENDING] * 2

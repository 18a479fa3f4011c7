"""The approval page: what it shows, whom it lets decide, and that nothing but a good POST decides."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from runs.audit.chain import canonical, digest
from runs.models import Approval, Run, Team, Vote
from runs.services.approvals import decide_approval, open_request
from runs.services.policies import Ruling
from runs.services.teams import add_member
from runs.states import ApprovalState, CallStatus, Effect, Role, RunState
from tests.conftest import PASSWORD
from tests.runs.making import make_call, make_request, make_run
from tests.runs.pages import stories


@pytest.fixture
def request_of_alice(team: Team, alice: User) -> Approval:
    return make_request(team, alice)


def post(client: Client, approval: Approval, decision: str, **fields: object):
    body = {"decision": decision, "args_sha256": approval.args_sha256, **fields}
    return client.post(f"/approvals/{approval.pk}/decide", body)


def page(client: Client, approval: Approval) -> str:
    answer = client.get(f"/approvals/{approval.pk}/")
    assert answer.status_code == 200
    return answer.content.decode()


def text(markup: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", markup)))


def test_the_page_shows_ask_bytes_reason_facts_and_checks_in_that_order(
    as_bob: Client, alice: User, team: Team
) -> None:
    story = stories.begin(alice, team)
    stories.gather(story)
    stories.ask(story)
    shown = text(page(as_bob, Approval.objects.get()).partition("<main")[2])
    order = [
        "Create a ticket in OpsPilot.", "Nothing has happened yet.", "0 of 1", "You may vote.",
        "Exactly what will run", "the tickets kept here (OPSPILOT_TICKETS", "SEV2",
        "Written by the planner, not checked", "The goal asks for a ticket.",
        "The limit was lowered three minutes before", "Against it:",
        "Checked by the server", "The stored call is byte for byte the one shown here",
        "Deny…", "Create the ticket",
    ]  # fmt: skip
    places = [shown.find(words) for words in order]
    assert -1 not in places, [words for words, place in zip(order, places, strict=True) if place == -1]
    assert places == sorted(places)


def test_an_argument_that_copies_a_log_line_says_from_where(as_bob: Client, alice: User, team: Team) -> None:
    story = stories.begin(alice, team)
    stories.gather(story)
    stories.ask(story)
    assert "from E1, untrusted" in text(page(as_bob, Approval.objects.get()))


def test_every_argument_is_shown_to_its_last_character(as_bob: Client, alice: User, team: Team) -> None:
    run = make_run(team, alice, state=RunState.NEEDS_APPROVAL, plan_seq=1)
    long = "line\n" * 3_900 + "the end"
    args = {"title": "A title", "body": long, "service": "", "severity": "SEV3"}
    approval = make_request(team, alice, run=run)
    approval.call.args, approval.args_canonical = args, canonical(args)
    approval.call.args_sha256 = approval.args_sha256 = digest(canonical(args))
    approval.call.save()
    approval.save()
    assert html.escape(long) in page(as_bob, approval)


def test_hidden_characters_are_spelled_out_and_markup_is_text(as_bob: Client, alice: User, team: Team) -> None:
    args = {
        "title": "<script>alert(1)</script>",
        "body": "pay\u200bments \u202egnp.exe",
        "service": "x",
        "severity": "SEV3",
    }
    run = make_run(team, alice, state=RunState.NEEDS_APPROVAL, plan_seq=1, goal="<img src=x onerror=alert(1)>")
    approval = _request_for(run, args)
    markup = page(as_bob, approval)
    assert "\u202e" not in markup
    assert "\u200b" not in markup
    assert "pay⟦U+200B⟧ments ⟦U+202E⟧gnp.exe" in re.sub(r"</?mark[^>]*>", "", markup)
    assert "<script>alert" not in markup
    assert "<img src=x" not in markup


def _request_for(run: Run, args: dict[str, str]) -> Approval:
    return open_request(run, make_call(run, args=args), Ruling(Effect.APPROVE, 1, Role.APPROVER, "writes"), "why")


def test_bob_approves_and_the_page_becomes_the_result(as_bob: Client, request_of_alice: Approval) -> None:
    answer = post(as_bob, request_of_alice, "approve")
    assert answer.status_code == 302
    assert answer.url == f"/approvals/{request_of_alice.pk}/"
    request_of_alice.refresh_from_db()
    assert request_of_alice.state == ApprovalState.APPROVED
    assert Vote.objects.get().door == "web"
    shown = page(as_bob, request_of_alice)
    assert "You</strong> approved" in shown
    assert "data-approve" not in shown


def test_alice_is_told_that_she_started_the_run_and_who_can_vote(
    as_alice: Client, bob: User, carol: User, request_of_alice: Approval
) -> None:
    shown = text(page(as_alice, request_of_alice))
    assert "You may not vote. You started this run; bob or carol can." in shown
    assert "Create the ticket" not in shown.split("Checked by the server")[1]
    answer = post(as_alice, request_of_alice, "approve")
    assert answer.status_code == 403
    assert "You started this run; bob or carol can." in text(answer.content.decode())
    assert not Vote.objects.exists()


def test_a_viewer_is_refused_with_the_role_that_it_needs(
    team: Team, client: Client, request_of_alice: Approval
) -> None:
    viewer = User.objects.create_user("vic")
    add_member(team, viewer, Role.VIEWER)
    client.force_login(viewer)
    answer = post(client, request_of_alice, "approve")
    assert answer.status_code == 403
    assert "This needs the role approver" in text(answer.content.decode())


@pytest.mark.parametrize("path", ["", "part", "decide"])
def test_another_teams_approver_sees_no_such_page(as_mallory: Client, request_of_alice: Approval, path: str) -> None:
    url = f"/approvals/{request_of_alice.pk}/{path}"
    body = {"decision": "approve", "args_sha256": request_of_alice.args_sha256}
    answer = as_mallory.post(url, body) if path == "decide" else as_mallory.get(url)
    assert answer.status_code == 404
    assert not Vote.objects.exists()


def test_without_a_login_every_address_leads_to_the_login_page(client: Client, request_of_alice: Approval) -> None:
    for path in ("", "part"):
        assert client.get(f"/approvals/{request_of_alice.pk}/{path}").url.startswith("/login/")
    assert post(client, request_of_alice, "approve").url.startswith("/login/")
    assert not Vote.objects.exists()


def test_another_hash_than_that_of_the_request_conflicts(as_bob: Client, request_of_alice: Approval) -> None:
    answer = post(as_bob, request_of_alice, "approve", args_sha256="0" * 64)
    assert answer.status_code == 409
    assert "These are not the arguments of this request" in text(answer.content.decode())
    assert not Vote.objects.exists()


def test_a_call_that_changed_behind_the_request_takes_the_buttons_away(
    as_bob: Client, request_of_alice: Approval
) -> None:
    call = request_of_alice.call
    call.args = {**call.args, "service": "another"}
    call.save()
    markup = page(as_bob, request_of_alice)
    assert "The arguments changed after this was asked" in text(markup)
    assert "data-approve" not in markup
    assert post(as_bob, request_of_alice, "approve").status_code == 409


def test_the_same_decision_twice_is_the_same_decision(as_bob: Client, request_of_alice: Approval) -> None:
    assert post(as_bob, request_of_alice, "approve").status_code == 302
    assert post(as_bob, request_of_alice, "approve").status_code == 302
    assert Vote.objects.count() == 1


def test_who_comes_second_reads_who_was_first(as_bob: Client, carol: User, request_of_alice: Approval) -> None:
    decide_approval(request_of_alice.pk, user=carol, approve=True, args_sha256=request_of_alice.args_sha256)
    answer = post(as_bob, request_of_alice, "deny", reason="It is not needed any more")
    assert answer.status_code == 409
    assert "approved by carol" in text(answer.content.decode())
    assert b"data-approve" not in answer.content


def test_a_denial_needs_a_reason_and_keeps_what_was_typed(as_bob: Client, request_of_alice: Approval) -> None:
    answer = post(as_bob, request_of_alice, "deny", reason="too short")
    assert answer.status_code == 400
    assert "Say why in at least 10 characters" in text(answer.content.decode())
    assert ">too short</textarea>" in answer.content.decode()
    assert not Vote.objects.exists()


def test_a_ticked_reason_is_reason_enough_and_ones_own_words_are_added(
    as_bob: Client, request_of_alice: Approval
) -> None:
    post(as_bob, request_of_alice, "deny", because=["A ticket for this exists already"], reason="OPS-398")
    request_of_alice.refresh_from_db()
    assert request_of_alice.state == ApprovalState.DENIED
    assert request_of_alice.reason == "A ticket for this exists already. OPS-398"


def test_a_reason_that_no_form_offers_is_not_taken_for_a_ticked_one(as_bob: Client, request_of_alice: Approval) -> None:
    assert post(as_bob, request_of_alice, "deny", because=["made up by the client"]).status_code == 400


@pytest.mark.parametrize("method", ["get", "head", "put", "delete", "options"])
def test_no_other_method_than_post_decides(as_bob: Client, request_of_alice: Approval, method: str) -> None:
    url = f"/approvals/{request_of_alice.pk}/decide?decision=approve&args_sha256={request_of_alice.args_sha256}"
    assert getattr(as_bob, method)(url).status_code == 405
    assert not Vote.objects.exists()


def test_a_post_without_the_forms_token_is_refused(bob: User, request_of_alice: Approval) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(bob)
    assert post(client, request_of_alice, "approve").status_code == 403
    assert not Vote.objects.exists()
    client.get(f"/approvals/{request_of_alice.pk}/")
    token = client.cookies["csrftoken"].value
    assert post(client, request_of_alice, "approve", csrfmiddlewaretoken=token).status_code == 302


def test_an_expired_request_is_worded_as_such_and_cannot_be_decided(as_bob: Client, request_of_alice: Approval) -> None:
    Approval.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    markup = page(as_bob, request_of_alice)
    assert "Nobody decided in time." in text(markup)
    assert "data-approve" not in markup
    assert "denied" not in text(markup).lower()
    assert post(as_bob, request_of_alice, "approve").status_code == 410


def test_the_second_of_two_votes_decides_and_the_first_says_what_is_missing(
    as_bob: Client, carol: User, team: Team, alice: User
) -> None:
    approval = make_request(team, alice, votes=2)
    post(as_bob, approval, "approve")
    shown = text(page(as_bob, approval))
    assert "1 of 2" in shown
    assert "1 more vote needed before it runs." in shown
    decide_approval(approval.pk, user=carol, approve=True, args_sha256=approval.args_sha256)
    approval.refresh_from_db()
    assert approval.state == ApprovalState.APPROVED


def test_a_destructive_call_wants_its_target_typed(as_bob: Client, team: Team, alice: User) -> None:
    approval = make_request(team, alice, risk="destructive")
    assert post(as_bob, approval, "approve", password=PASSWORD).status_code == 400
    assert post(as_bob, approval, "approve", password=PASSWORD, target="somewhere").status_code == 400
    assert not Vote.objects.exists()
    target = approval.preview["destination"]
    assert post(as_bob, approval, "approve", password=PASSWORD, target=target).status_code == 302


def test_a_destructive_call_wants_the_password_once_in_five_minutes(as_bob: Client, team: Team, alice: User) -> None:
    approval = make_request(team, alice, risk="destructive")
    target = approval.preview["destination"]
    assert 'name="password"' in page(as_bob, approval)
    assert post(as_bob, approval, "approve", target=target).status_code == 403
    wrong = post(as_bob, approval, "approve", target=target, password="not hers")
    assert (wrong.status_code, "That is not your password." in text(wrong.content.decode())) == (403, True)
    assert not Vote.objects.exists()
    assert post(as_bob, approval, "approve", target=target, password=PASSWORD).status_code == 302
    other = make_request(team, alice, risk="destructive")
    assert 'name="password"' not in page(as_bob, other)
    assert post(as_bob, other, "approve", target=target).status_code == 302


def test_a_password_given_six_minutes_ago_does_not_stand(as_bob: Client, team: Team, alice: User) -> None:
    approval = make_request(team, alice, risk="destructive")
    session = as_bob.session
    session["password_given_at"] = (timezone.now() - timedelta(minutes=6)).isoformat()
    session.save()
    assert 'name="password"' in page(as_bob, approval)
    answer = post(as_bob, approval, "approve", target=approval.preview["destination"])
    assert (answer.status_code, "(sign_in_again)" in text(answer.content.decode())) == (403, True)


def test_five_wrong_passwords_end_the_session(as_bob: Client, team: Team, alice: User) -> None:
    approval = make_request(team, alice, risk="destructive")
    target = approval.preview["destination"]
    for _ in range(4):
        assert post(as_bob, approval, "approve", target=target, password="guess").status_code == 403
    ended = post(as_bob, approval, "approve", target=target, password="guess")
    assert (ended.status_code, ended.url) == (302, f"/login/?next=/approvals/{approval.pk}/")
    assert as_bob.get(f"/approvals/{approval.pk}/").status_code == 302
    assert not Vote.objects.exists()


def test_denying_a_destructive_call_takes_no_password(as_bob: Client, team: Team, alice: User) -> None:
    approval = make_request(team, alice, risk="destructive")
    assert post(as_bob, approval, "deny", reason="Not on a Friday evening").status_code == 302


def test_an_open_page_is_told_only_when_it_would_look_different(
    as_bob: Client, carol: User, request_of_alice: Approval
) -> None:
    url = f"/approvals/{request_of_alice.pk}/part"
    version = re.search(r'data-version="([^"]+)"', as_bob.get(url).content.decode())
    assert version is not None
    assert as_bob.get(url, {"version": version[1]}).status_code == 204
    decide_approval(request_of_alice.pk, user=carol, approve=True, args_sha256=request_of_alice.args_sha256)
    answer = as_bob.get(url, {"version": version[1]})
    assert answer.status_code == 200
    assert "carol</strong> approved" in answer.content.decode()


def test_a_ticket_that_is_open_already_and_the_same_call_before_are_warned_of(
    as_bob: Client, alice: User, team: Team
) -> None:
    first = stories.begin(alice, team)
    make_call(first.run, status=CallStatus.SUCCESS, plan_seq=0)
    approval = make_request(team, alice)
    shown = text(page(as_bob, approval))
    assert f"This very call was made before, in run {first.run.pk}." in shown


def test_a_run_that_was_cancelled_takes_the_request_with_it(
    as_bob: Client, alice: User, request_of_alice: Approval
) -> None:
    Approval.objects.update(state=ApprovalState.VOID)
    markup = page(as_bob, request_of_alice)
    assert "No longer valid." in text(markup)
    assert "data-approve" not in markup
    assert post(as_bob, request_of_alice, "approve").status_code == 409


def test_the_list_says_what_waits_and_for_whom(as_alice: Client, as_bob: Client, request_of_alice: Approval) -> None:
    assert "Waiting for others" in as_alice.get("/approvals/").content.decode()
    assert "Can decide" in as_bob.get("/approvals/").content.decode()


def test_the_empty_list_says_that_nothing_waits(as_bob: Client) -> None:
    assert "Nothing waits for you" in as_bob.get("/approvals/").content.decode()


def test_a_call_under_way_is_not_done_and_its_page_looks_again(
    as_bob: Client, bob: User, request_of_alice: Approval
) -> None:
    decide_approval(request_of_alice.pk, user=bob, approve=True, args_sha256=request_of_alice.args_sha256)
    Approval.objects.filter(pk=request_of_alice.pk).update(state=ApprovalState.CONSUMED)
    calls = type(request_of_alice.call).objects.filter(pk=request_of_alice.call_id)
    calls.update(status=CallStatus.STARTED)
    shown = page(as_bob, request_of_alice)
    assert 'data-phase="running"' in shown, "the script stops looking at a page that has settled"
    assert "Running now." in shown and "Approved, running" in shown and "Approved and done" not in shown
    calls.update(status=CallStatus.SUCCESS, finished_at=timezone.now())
    shown = page(as_bob, request_of_alice)
    assert 'data-phase="consumed"' in shown and "Approved and done" in shown

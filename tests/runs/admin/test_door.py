"""Who may open the admin, and that nobody changes the record through it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs.models import Approval, Membership, PolicyRule, Run, Team, Ticket
from runs.services.approvals import decide_approval
from runs.services.teams import add_member
from runs.states import Role
from tests.runs.making import make_request, make_run
from tests.runs.pages import stories

RECORD = [
    "run", "step", "toolcall", "evidence", "approval", "vote", "ticket", "notification", "notificationtarget",
]  # fmt: skip


@pytest.fixture
def as_dora(team: Team) -> Client:
    """dora administers the team and is no superuser."""
    dora = User.objects.create_user("dora")
    add_member(team, dora, Role.ADMINISTRATOR)
    client = Client()
    client.force_login(dora)
    return client


@pytest.fixture
def as_admin(admin: User) -> Client:
    client = Client()
    client.force_login(admin)
    return client


def test_approvers_administrators_and_superusers_enter_without_being_staff(
    as_bob: Client, as_dora: Client, as_admin: Client
) -> None:
    for client in (as_bob, as_dora, as_admin):
        assert client.get("/admin/").status_code == 200


def test_an_operator_is_told_who_may_enter(as_alice: Client) -> None:
    answer = as_alice.get("/admin/", follow=True)
    assert answer.status_code == 403
    assert "open to approvers and administrators" in answer.content.decode()


def test_staff_alone_opens_nothing(client: Client, team: Team) -> None:
    clerk = User.objects.create_user("clerk", is_staff=True)
    client.force_login(clerk)
    assert client.get("/admin/", follow=True).status_code == 403


def test_a_service_account_does_not_enter_whatever_its_role(client: Client, team: Team) -> None:
    robot = User.objects.create_user("robot")
    add_member(team, robot, Role.APPROVER, is_service=True)
    client.force_login(robot)
    assert client.get("/admin/approvals/", follow=True).status_code == 403


def test_without_a_login_the_one_login_page_answers(client: Client) -> None:
    answer = client.get("/admin/audit/", follow=True)
    assert answer.redirect_chain[-1][0] == "/login/?next=/admin/audit/"


@pytest.mark.parametrize("table", RECORD)
def test_the_record_can_be_looked_at_and_not_changed(as_admin: Client, table: str, team: Team, alice: User) -> None:
    approval = make_request(team, alice)
    pk = {"run": approval.run_id, "toolcall": approval.call_id, "approval": approval.pk}.get(table)
    assert as_admin.get(f"/admin/runs/{table}/").status_code == 200
    assert as_admin.get(f"/admin/runs/{table}/add/").status_code == 403
    assert as_admin.post(f"/admin/runs/{table}/add/", {}).status_code == 403
    if pk is not None:
        assert as_admin.get(f"/admin/runs/{table}/{pk}/change/").status_code == 200
        assert as_admin.post(f"/admin/runs/{table}/{pk}/change/", {"state": "APPROVED"}).status_code == 403
        assert as_admin.post(f"/admin/runs/{table}/{pk}/delete/", {"post": "yes"}).status_code == 403


def test_no_bulk_action_deletes_the_record(as_admin: Client, team: Team, alice: User) -> None:
    approval = make_request(team, alice)
    as_admin.post(
        "/admin/runs/approval/", {"action": "delete_selected", "_selected_action": [approval.pk], "post": "yes"}
    )
    assert Approval.objects.filter(pk=approval.pk).exists()


def test_an_approver_sees_only_the_rows_of_her_teams(as_bob: Client, other_team: Team, mallory: User) -> None:
    foreign = make_request(other_team, mallory)
    assert "Why did checkout page?" not in as_bob.get("/admin/runs/run/").content.decode()
    assert as_bob.get(f"/admin/runs/run/{foreign.run_id}/change/").status_code == 302  # the admin's way of saying 404
    assert Run.objects.count() == 1


def test_hidden_characters_are_spelled_out_in_djangos_own_pages_too(as_bob: Client, team: Team, alice: User) -> None:
    run = make_run(team, alice, goal="<b>pay</b> \u202egnp.exe", report={"summary": ["zero\u200bwidth"]})
    for url in ("/admin/runs/run/", f"/admin/runs/run/{run.pk}/change/"):
        page = as_bob.get(url).content.decode()
        assert "⟦U+202E⟧gnp.exe" in page
        assert "\u202e" not in page
        assert "<b>pay" not in page
    assert "zero⟦U+200B⟧width" in page


@pytest.mark.parametrize("table", ["policyrule", "membership", "team"])
def test_an_approver_changes_no_policy_and_no_team(as_bob: Client, table: str) -> None:
    assert as_bob.get(f"/admin/runs/{table}/").status_code == 403
    assert as_bob.post(f"/admin/runs/{table}/add/", {}).status_code == 403


def test_a_teams_administrator_makes_rules_for_the_team_and_not_for_all(as_dora: Client, team: Team) -> None:
    rule = {
        "order": 5, "name": "tickets are free", "tool": "create_ticket", "risk": "write", "effect": "run", "votes": 1,
        "role": "approver",
    }  # fmt: skip
    before = PolicyRule.objects.count()
    assert as_dora.post("/admin/runs/policyrule/add/", {**rule, "team": ""}).status_code == 200
    assert PolicyRule.objects.count() == before
    assert as_dora.post("/admin/runs/policyrule/add/", {**rule, "team": team.pk}).status_code == 302
    assert PolicyRule.objects.get(name="tickets are free").team == team


def test_a_teams_administrator_leaves_other_teams_and_the_common_rules_alone(
    as_dora: Client, other_team: Team, mallory: User, team: Team
) -> None:
    common = PolicyRule.objects.filter(team=None).first()
    foreign = Membership.objects.get(user=mallory)
    assert common is not None
    assert as_dora.get(f"/admin/runs/policyrule/{common.pk}/change/").status_code == 302
    assert as_dora.get(f"/admin/runs/membership/{foreign.pk}/change/").status_code == 302
    body = {"team": other_team.pk, "user": mallory.pk, "role": "viewer"}
    assert as_dora.post(f"/admin/runs/membership/{foreign.pk}/change/", body).status_code == 302
    foreign.refresh_from_db()
    assert foreign.role == Role.APPROVER


def test_a_superuser_edits_the_common_rules(as_admin: Client, team: Team) -> None:
    common = PolicyRule.objects.filter(team=None).first()
    assert common is not None
    assert as_admin.get(f"/admin/runs/policyrule/{common.pk}/change/").status_code == 200


def test_users_are_the_superusers_business(as_bob: Client, as_dora: Client, as_admin: Client, alice: User) -> None:
    assert as_bob.get("/admin/auth/user/").status_code == 403
    assert as_dora.post(f"/admin/auth/user/{alice.pk}/change/", {"is_superuser": "on"}).status_code == 403
    assert as_admin.get("/admin/auth/user/").status_code == 200


def test_the_queues_dashboard_with_its_delete_buttons_is_not_there(as_bob: Client, as_admin: Client) -> None:
    for client in (as_bob, as_admin):
        assert client.get("/admin/django_rq/dashboard/").status_code == 404
        assert "Dashboard" not in client.get("/admin/").content.decode()


@pytest.mark.parametrize("table", RECORD)
def test_a_list_of_the_record_costs_the_same_for_one_row_and_for_many(
    as_bob: Client, team: Team, alice: User, table: str
) -> None:
    story = _whole_story(alice, team)
    assert story.run.tickets.exists()
    one = _cost(as_bob, table)
    for _ in range(2):
        _whole_story(alice, team)
    assert _cost(as_bob, table) == one


def _cost(client: Client, table: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(f"/admin/runs/{table}/").status_code == 200
    return len(queries)


def _whole_story(starter: User, team: Team) -> stories.Story:
    """A run with steps, calls, evidence, a vote and a ticket."""
    story = stories.begin(starter, team)
    stories.gather(story)
    stories.ask(story)
    approval = Approval.objects.get(run=story.run)
    carol = User.objects.get_or_create(username="carol")[0]
    add_member(team, carol, Role.APPROVER)
    decide_approval(approval.pk, user=carol, approve=True, args_sha256=approval.args_sha256)
    Ticket.objects.create(
        run=story.run, call=approval.call, key=approval.call.key, title="pool", body="x", created_at=timezone.now()
    )
    return story

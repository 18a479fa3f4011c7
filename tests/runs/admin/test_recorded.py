"""What is changed in the admin, who logs in, and what a start finds changed: each is an event of the installation."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from opspilot_site.database import prepare_database
from opspilot_site.effective import effective_settings
from runs.audit.verification import verify_all
from runs.models import AuditEvent, Membership, PolicyRule, Team
from runs.services.installation import make_setup_link, set_up_administrator
from tests.conftest import PASSWORD


@pytest.fixture
def as_admin(team: Team, admin: User) -> Client:
    client = Client()
    client.force_login(admin)
    return client


def _last() -> AuditEvent:
    event = AuditEvent.objects.order_by("-seq").first()
    assert event is not None
    return event


def _told() -> tuple[str, str, str]:
    event = _last()
    return event.verb, event.actor, event.object


def test_log_ins_are_on_record_whether_they_succeed_or_not(team: Team, alice: User) -> None:
    client = Client()
    client.post("/login/", {"username": "alice", "password": "hunter2-hunter2"})
    assert _told() == ("log_in_failed", "anonymous", "alice")
    assert "hunter2" not in _last().body
    client.post("/login/", {"username": "alice", "password": PASSWORD})
    assert _told() == ("log_in", "user:alice", "")
    assert _last().payload == {"address": "127.0.0.1"}
    client.post("/logout/")
    assert _told() == ("log_out", "user:alice", "")


def test_a_person_is_deactivated_on_record(as_admin: Client, alice: User) -> None:
    page = as_admin.get(f"/admin/auth/user/{alice.pk}/change/")
    fields = {name: value for name, value in page.context["adminform"].form.initial.items() if value not in (None, "")}
    fields |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    for name in ("password", "is_active", "date_joined", "last_login", "groups", "user_permissions"):
        fields.pop(name, None)
    fields = {name: value for name, value in fields.items() if value is not False}
    answer = as_admin.post(f"/admin/auth/user/{alice.pk}/change/", fields)
    assert answer.status_code == 302, answer.context["errors"]

    assert _told() == ("user_change", "user:admin", "user “alice”")
    payload = _last().payload
    assert (payload["before"]["is_active"], payload["after"]["is_active"]) == (True, False)
    assert "password" not in payload["before"]


def test_another_persons_password_is_changed_on_record(as_admin: Client, alice: User) -> None:
    answer = as_admin.post(
        f"/admin/auth/user/{alice.pk}/password/",
        {"password1": "a longer secret 42", "password2": "a longer secret 42", "usable_password": "true"},
    )
    assert answer.status_code == 302
    assert _told() == ("password_change", "user:admin", "user “alice”")
    assert "a longer secret" not in _last().body


def test_ones_own_password_is_changed_on_record(as_alice: Client) -> None:
    new = "a longer secret 42"
    as_alice.post("/account/password", {"old_password": PASSWORD, "new_password1": new, "new_password2": new})
    assert _told() == ("password_change", "user:alice", "user “alice”")


def test_a_membership_is_added_changed_and_removed_on_record(as_admin: Client, team: Team, alice: User) -> None:
    member = Membership.objects.get(user=alice)
    as_admin.post(f"/admin/runs/membership/{member.pk}/change/", {"team": team.pk, "user": alice.pk, "role": "viewer"})
    assert _last().verb == "member_change"
    assert _last().payload["before"]["role"] == "operator"
    assert _last().payload["after"]["role"] == "viewer"
    as_admin.post(
        "/admin/runs/membership/", {"action": "delete_selected", "_selected_action": member.pk, "post": "yes"}
    )
    assert _last().verb == "member_delete"
    assert not Membership.objects.filter(pk=member.pk).exists()


def test_a_members_row_on_the_teams_page_is_on_record_too(as_admin: Client, team: Team, alice: User) -> None:
    member = Membership.objects.get(user=alice)
    rows = {
        "memberships-TOTAL_FORMS": 1, "memberships-INITIAL_FORMS": 1, "memberships-0-id": member.pk,
        "memberships-0-team": team.pk, "memberships-0-user": alice.pk, "memberships-0-role": "approver",
    }  # fmt: skip
    as_admin.post(f"/admin/runs/team/{team.pk}/change/", {"name": "Default", "slug": "default", **rows})

    assert _last().verb == "member_change"
    assert _last().payload["after"]["role"] == "approver"
    assert verify_all().damages == []


def test_a_tool_set_that_names_no_tool_is_said(as_admin: Client, team: Team) -> None:
    rows = {f"memberships-{part}": "0" for part in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")}
    url, fields = f"/admin/runs/team/{team.pk}/change/", {"name": "Default", "slug": "default", **rows}
    assert "query_metrics" in as_admin.get(url).content.decode()

    page = as_admin.post(url, {**fields, "tools": "search_logs\nserch_*"}, follow=True).content.decode()
    assert "No tool is called serch_*: such a line allows nothing." in page
    assert "No tool is called" not in as_admin.post(url, {**fields, "tools": "list_*"}, follow=True).content.decode()


def test_a_rule_is_deleted_on_record(as_admin: Client, team: Team) -> None:
    rule = PolicyRule.objects.first()
    assert rule is not None
    as_admin.post(f"/admin/runs/policyrule/{rule.pk}/delete/", {"post": "yes"})
    assert _last().verb == "rule_delete"
    assert rule.name in _last().object


def test_saving_what_is_so_already_is_no_event(as_admin: Client, team: Team, alice: User) -> None:
    member = Membership.objects.get(user=alice)
    before = _last().seq
    as_admin.post(
        f"/admin/runs/membership/{member.pk}/change/", {"team": team.pk, "user": alice.pk, "role": "operator"}
    )
    assert _last().seq == before


def test_the_first_administrator_is_on_record(team: Team) -> None:
    token = make_setup_link()
    assert token is not None
    set_up_administrator(token, "root", "a longer secret 42")
    verbs = list(AuditEvent.objects.values_list("verb", "actor"))
    assert ("setup", "user:root") in verbs


def test_a_start_records_which_settings_are_others_than_at_the_last(team: Team, settings: Any) -> None:
    prepare_database(demo=False)
    assert _last().verb == "settings_change"
    seq = _last().seq
    prepare_database(demo=False)
    assert _last().seq == seq
    settings.APPROVAL_TTL_S, settings.DEBUG = 60, not settings.DEBUG
    prepare_database(demo=False)

    payload = _last().payload
    assert set(payload["after"]) == {"APPROVAL_TTL_S", "DEBUG"}
    assert (payload["before"]["APPROVAL_TTL_S"], payload["after"]["APPROVAL_TTL_S"]) == (86_400, 60)


def test_no_secret_is_among_the_settings_that_are_kept(settings: Any) -> None:
    settings.SOURCE_URLS = {"logs": [("shop", "loki+https://bob:hunter2@loki.example/x?token=hunter3")]}
    settings.ANTHROPIC_BASE_URL = "https://key:hunter4@gateway.example"
    kept = effective_settings()
    assert kept["SOURCES_LOGS"] == ["shop=loki+https://loki.example/x"]
    assert kept["ANTHROPIC_BASE_URL"] == "https://gateway.example"
    assert "hunter" not in str(kept)
    assert settings.SECRET_KEY not in str(kept)
    assert settings.AUDIT_KEY not in str(kept)


def test_superusers_see_the_installations_events_and_approvers_do_not(
    as_admin: Client, as_bob: Client, team: Team, alice: User
) -> None:
    member = Membership.objects.get(user=alice)
    as_admin.post(f"/admin/runs/membership/{member.pk}/change/", {"team": team.pk, "user": alice.pk, "role": "viewer"})
    page = as_admin.get("/admin/audit/", {"kind": "installation", "verify": 1}).content.decode()
    assert "changed <strong>member" in page
    assert "role operator → viewer" in page
    assert '<th scope="row">role</th><td>operator</td><td>viewer</td>' in page
    assert "1 chain intact" in page
    assert "logged in" not in as_admin.get("/admin/audit/", {"actor": "alice", "kind": "installation"}).content.decode()
    assert 'class="audit__row"' not in as_bob.get("/admin/audit/", {"kind": "installation"}).content.decode()
    export = as_admin.post("/admin/audit/export.csv", query_params={"kind": "installation"})
    lines = b"".join(export).decode().splitlines()
    assert len(lines) == AuditEvent.objects.count() + 1

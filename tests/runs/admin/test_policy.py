"""The policy page and a rule's form: read by everybody in the admin, changed by administrators, on record."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from runs.models import AuditEvent, PolicyRule, Team
from runs.policy.document import preset
from runs.services.policies import policy_of
from runs.services.rules import own_rules
from tests.runs.admin.test_door import as_admin, as_dora

__all__ = ["as_admin", "as_dora"]

RULE: dict[str, Any] = {
    "team": "", "order": 5, "name": "loud tickets", "tool": "create_ticket", "risk": "write", "effect": "approve",
    "votes": 2, "role": "approver", "arguments": "severity: [SEV1, SEV2]\ntitle: {matches: 'orders-.*'}",
    "environment": "prod, staging", "only": "on", "starter": ["alert", "cli"], "copied": "body, url*", "expires": "4h",
}  # fmt: skip


def _page(client: Client) -> str:
    answer = client.get("/admin/policy/")
    assert answer.status_code == 200
    return answer.content.decode()


def _add(client: Client, **changes: Any) -> Any:
    return client.post("/admin/runs/policyrule/add/", {**RULE, **changes})


def test_an_approver_reads_the_rules_in_words_and_finds_no_button(as_bob: Client) -> None:
    page = _page(as_bob)

    assert "Any call of risk destructive, where text was copied from results" in page
    assert "waits for 3 votes of an approver" in page
    assert "Only an administrator of this installation changes the rules" in page
    assert "policy/move" not in page and "/change/" not in page and "Add a rule" not in page


def test_an_operator_does_not_enter(as_alice: Client) -> None:
    assert as_alice.get("/admin/policy/", follow=True).status_code == 403


def test_the_page_says_what_the_rules_come_to_and_what_is_wrong(as_bob: Client, team: Team) -> None:
    PolicyRule.objects.create(order=900, name="too late", tool="create_ticket", risk="write", effect="run")
    page = _page(as_bob)

    assert "create_ticket, any other tool" in page
    assert "Rule 7 “too late” can never match" in page
    assert policy_of(team).version in page


def test_an_unreadable_rule_is_shown_as_what_closes_the_door(as_admin: Client, team: Team) -> None:
    bad = PolicyRule.objects.create(order=1, name="bad", effect="run", conditions={"starter": ["root"]})
    page = _page(as_admin)

    assert "Cannot be read: starter: input should be" in page
    assert "everything else needs two votes" in page
    form = as_admin.get(f"/admin/runs/policyrule/{bad.pk}/change/").content.decode()
    assert "These conditions cannot be read; write them anew." in form


def test_a_rule_is_made_by_its_form_and_reads_back_in_it(as_admin: Client, team: Team) -> None:
    assert _add(as_admin).status_code == 302

    row = PolicyRule.objects.get(name="loud tickets")
    assert row.conditions == {
        "arguments": {"severity": ["SEV1", "SEV2"], "title": {"matches": "orders-.*"}},
        "environment": {"only": ["prod", "staging"]}, "starter": ["alert", "cli"], "tainted": ["body", "url*"],
    }  # fmt: skip
    assert row.expiry_s == 14_400
    event = AuditEvent.objects.last()
    assert event is not None and (event.verb, event.actor) == ("rule_add", "user:admin")

    form = as_admin.get(f"/admin/runs/policyrule/{row.pk}/change/").content.decode()
    for shown in ("severity: [SEV1, SEV2]", 'value="prod, staging"', 'value="body, url*"', 'value="4h"'):
        assert shown in form, shown
    assert as_admin.post(f"/admin/runs/policyrule/{row.pk}/change/", RULE | {"votes": 3}).status_code == 302
    assert own_rules(None)[0].votes == 3 and own_rules(None)[0].starter == ["alert", "cli"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arguments": "severity"}, "write an argument, a colon and a test"),
        ({"arguments": "severity: [a"}, "this is not YAML"),
        ({"arguments": "severity: {like: a}"}, "there is no test &#x27;like&#x27;; tests: is, in"),
        ({"arguments": "title: {matches: '(?=a)'}"}, "not a pattern that RE2 takes"),
        ({"arguments": "a: 1\na: 2"}, "is given twice"),
        ({"expires": "1m"}, "a request stays open for 5 minutes (5m) to 30 days (30d)"),
        ({"tool": "create ticket"}, "is no tool&#x27;s name"),
        ({"copied": "a b"}, "a list of arguments such as"),
        ({"votes": 11}, "less than or equal to 10"),
    ],
)
def test_a_mistake_is_told_at_its_field_and_nothing_is_saved(
    as_admin: Client, team: Team, changes: dict[str, Any], words: str
) -> None:
    answer = _add(as_admin, **changes)

    assert answer.status_code == 200 and words in answer.content.decode()
    assert tuple(own_rules(None)) == preset("team")


def test_a_preview_shows_the_difference_and_what_it_comes_to_and_saves_nothing(as_admin: Client, team: Team) -> None:
    answer = _add(as_admin, _preview="1", copied="", environment="", only="", starter=[]).content.decode()

    assert "Nothing is saved yet." in answer
    assert "loud tickets: calls of create_ticket of risk write, where severity is SEV1 or SEV2 and title" in answer
    assert "waits for 2 votes of an approver, open for 4h (rule 1 “loud tickets”)" in answer
    assert "severity: [SEV1, SEV2]" in answer  # the form is still as it was typed
    assert tuple(own_rules(None)) == preset("team")

    row = PolicyRule.objects.get(name="writes need one vote")
    changed = RULE | {"order": row.order, "name": row.name, "tool": "*", "arguments": "", "effect": "refuse"}
    answer = as_admin.post(f"/admin/runs/policyrule/{row.pk}/change/", {**changed, "_preview": "1"}).content.decode()
    assert "changes__line--old" in answer and "is refused (rule 4" in answer
    row.refresh_from_db()
    assert row.effect == "approve"


def test_a_preview_of_mistakes_shows_the_mistakes(as_admin: Client, team: Team) -> None:
    answer = _add(as_admin, _preview="1", expires="soon").content.decode()

    assert "is no time; write 30m, 24h or 7d" in answer and "Nothing is saved yet." not in answer


def test_the_order_is_changed_by_a_button(as_admin: Client, as_bob: Client, as_dora: Client, team: Team) -> None:
    row = PolicyRule.objects.get(name="reading is free")
    for client in (as_bob, as_dora):
        assert client.post("/admin/policy/move", {"rule": row.pk, "to": "up"}).status_code == 403
    assert as_admin.get("/admin/policy/move").status_code == 405

    assert as_admin.post("/admin/policy/move", {"rule": row.pk, "to": "up"}).status_code == 302

    assert own_rules(None)[0].name == "reading is free"
    assert as_admin.post("/admin/policy/move", {"rule": 0, "to": "up"}).status_code == 404


def test_a_teams_administrator_changes_the_teams_rules_alone(as_dora: Client, team: Team, other_team: Team) -> None:
    assert _add(as_dora, team=team.pk).status_code == 302
    page = _page(as_dora)
    ours = PolicyRule.objects.get(team=team)
    common = PolicyRule.objects.filter(team=None).first()
    assert common is not None

    assert "Rules of Default" in page and "Rules of the installation" in page
    assert f"/policyrule/{ours.pk}/change/" in page and f"/policyrule/{common.pk}/change/" not in page
    assert _add(as_dora, team=other_team.pk).status_code == 200
    assert as_dora.post("/admin/policy/move", {"rule": ours.pk, "to": "down"}).status_code == 302


def test_taking_a_rule_away_is_on_record(as_admin: Client, team: Team) -> None:
    row = PolicyRule.objects.get(name="writes need one vote")

    assert as_admin.post(f"/admin/runs/policyrule/{row.pk}/delete/", {"post": "yes"}).status_code == 302

    event = AuditEvent.objects.last()
    assert event is not None and (event.verb, event.payload["before"]["name"]) == ("rule_delete", row.name)


def test_the_page_costs_the_same_however_many_rules_there_are(
    as_admin: Client, admin: User, team: Team, django_assert_max_num_queries: Any
) -> None:
    PolicyRule.objects.bulk_create(
        PolicyRule(order=1_000 + number, name=f"rule {number}", effect="refuse", tool=f"tool_{number}")
        for number in range(60)
    )
    with django_assert_max_num_queries(14):
        _page(as_admin)


def test_hostile_names_are_shown_as_text(as_admin: Client, team: Team) -> None:
    PolicyRule.objects.create(order=1, name="<b>pay</b>\u202egnp.exe", effect="refuse", tool="nothing")
    page = _page(as_admin)

    assert "<b>pay" not in page and "\u202e" not in page and "⟦U+202E⟧" in page

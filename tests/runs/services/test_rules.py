"""Changes to rules: the whole set or one, each on record, each in one piece."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from runs.models import AuditEvent, PolicyRule, Team
from runs.policy.document import PolicyError, preset
from runs.services.actors import Actor
from runs.services.policies import policy_of, ruling_version
from runs.services.rules import delete_rule, move_rule, own_rules, replace_rules, save_rule
from runs.services.teams import use_solo_preset
from tests.runs.policy.test_rules import a_rule

ROOT = Actor.shell("root")


def _names(team: Team | None = None) -> list[str]:
    return [rule.name for rule in own_rules(team)]


def _last() -> AuditEvent:
    event = AuditEvent.objects.last()
    assert event is not None
    return event


def test_a_new_installation_starts_with_the_teams_preset(team: Team) -> None:
    assert tuple(own_rules(None)) == preset("team")
    assert not AuditEvent.objects.exists()  # nobody changed anything yet


def test_the_solo_preset_takes_its_place(team: Team) -> None:
    use_solo_preset()

    assert tuple(own_rules(None)) == preset("solo")


def test_a_whole_set_is_replaced_and_both_are_on_record(team: Team, other_team: Team) -> None:
    replace_rules(other_team, [a_rule(name="theirs")], ROOT, "test")
    before = ruling_version(team)

    assert replace_rules(None, [a_rule(name="one", votes=2, arguments={"a": [1]}), a_rule(name="two")], ROOT, "test")

    assert _names() == ["one", "two"] and _names(other_team) == ["theirs"]
    event = _last()
    assert (event.verb, event.actor, event.object) == ("rules_replace", "cli:root", "installation's rules")
    assert [rule["name"] for rule in event.payload["before"]["rules"]] == [rule.name for rule in preset("team")]
    assert [rule["order"] for rule in event.payload["after"]["rules"]] == [10, 20]
    assert event.payload["after"]["version"] == ruling_version(team) != before


def test_replacing_a_set_by_itself_records_nothing(team: Team) -> None:
    count = AuditEvent.objects.count()

    assert not replace_rules(None, own_rules(None), ROOT, "test")

    assert AuditEvent.objects.count() == count


def test_a_set_whose_event_cannot_be_written_is_not_replaced(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **more: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("runs.services.rules.record_event", full)
    with pytest.raises(OSError, match="no space"):
        replace_rules(None, [], ROOT, "test")

    assert tuple(own_rules(None)) == preset("team")


def test_one_rule_is_added_changed_and_taken_away_on_record(team: Team, bob: User) -> None:
    actor = Actor.person(bob)
    row = save_rule(PolicyRule(team=team, order=1, name="tickets", tool="create_ticket", effect="run"), actor)
    assert (_last().verb, _last().object) == ("rule_add", "“tickets” in the rules of team default")

    row.votes = 2
    save_rule(row, actor)
    assert (_last().payload["before"]["votes"], _last().payload["after"]["votes"]) == (1, 2)

    delete_rule(row, actor)
    assert _last().verb == "rule_delete" and _names(team) == []


def test_a_rule_that_could_not_be_read_back_is_not_written(team: Team, bob: User) -> None:
    with pytest.raises(ValueError):
        save_rule(PolicyRule(order=1, name="bad", effect="run", conditions={"when": 1}), Actor.person(bob))

    assert policy_of(team).rules is not None


def test_a_stored_rule_that_cannot_be_read_is_named(team: Team) -> None:
    PolicyRule.objects.create(order=1, name="bad", effect="run", conditions={"starter": ["root"]})

    with pytest.raises(PolicyError, match="rule “bad” in the installation's rules cannot be read: starter"):
        own_rules(None)


def test_a_rule_is_moved_among_its_own(team: Team, bob: User) -> None:
    replace_rules(None, [a_rule(name=name) for name in "abc"], ROOT, "test")
    actor, last = Actor.person(bob), PolicyRule.objects.get(name="c")

    move_rule(last, actor, up=True)
    assert _names() == ["a", "c", "b"]
    assert (_last().verb, _last().payload["before"], _last().payload["after"]) == (
        "rule_move",
        {"place": 3},
        {"place": 2},
    )

    move_rule(PolicyRule.objects.get(name="a"), actor, up=True)
    move_rule(PolicyRule.objects.get(name="b"), actor, up=False)
    assert _names() == ["a", "c", "b"]


def test_rules_of_one_order_are_put_apart_by_a_move(team: Team, bob: User) -> None:
    PolicyRule.objects.update(order=5)
    before = _names()

    move_rule(PolicyRule.objects.order_by("id")[1], Actor.person(bob), up=False)

    assert _names() == [before[0], before[2], before[1], *before[3:]]

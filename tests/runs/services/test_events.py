"""The installation's chain: which verbs write it, what an event keeps, and that no change goes without its event."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from runs.audit.chain import NoKey, event_mac, stamp
from runs.models import AuditEvent, Installation, Membership, Team
from runs.services.actors import Actor
from runs.services.events import record_event
from runs.services.halt import current_halt, go_on, halt_all
from runs.services.teams import add_member, use_solo_preset
from runs.services.tokens import issue_token, revoke_token
from runs.states import Role


def _told(since: int = 0) -> list[tuple[str, str, str]]:
    return list(AuditEvent.objects.filter(seq__gt=since).values_list("verb", "actor", "object"))


def test_each_event_is_chained_to_the_one_before_and_the_installation_knows_the_head(team: Team) -> None:
    record_event("halt", actor=Actor.shell("root"), object="every run", reason="a bad deploy")
    record_event("rule_change", actor=Actor.system(), before={"votes": 1}, after={"votes": 2})

    previous = ""
    for number, event in enumerate(AuditEvent.objects.all(), 1):
        assert event.seq == number
        assert event.mac == event_mac(previous, vars(event) | {"at": stamp(event.at)})
        previous = event.mac
    installation = Installation.objects.get()
    assert (installation.n_events, installation.head_mac) == (2, previous)
    assert AuditEvent.objects.get(seq=2).payload == {"before": {"votes": 1}, "after": {"votes": 2}}


def test_an_event_is_kept_before_the_first_start_has_ended(db: None) -> None:
    assert record_event("log_in_failed", actor=Actor("anonymous"), object="root\x00\ud800").seq == 1
    assert AuditEvent.objects.get().object == "root\ufffd?"


def test_what_is_rolled_back_is_not_on_record(team: Team) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        record_event("halt", actor=Actor.system())
        raise RuntimeError

    assert _told() == []
    assert Installation.objects.get().n_events == 0


def test_the_stop_switch_is_on_record_and_releasing_nothing_is_not(team: Team) -> None:
    halt_all(Actor.shell("root"), "a bad deploy")
    go_on(Actor.system())
    go_on(Actor.system())

    assert current_halt() is None
    assert [verb for verb, _, _ in _told()] == ["halt", "go_on"]
    assert AuditEvent.objects.get(verb="halt").payload == {"reason": "a bad deploy"}


def test_tokens_are_on_record_without_their_secret(alice: User) -> None:
    before = Installation.objects.get().n_events
    token, plain = issue_token(alice, "laptop")
    revoke_token(token)
    revoke_token(token)

    assert _told(before) == [
        ("token_issue", "user:alice", f"token laptop (ops_{token.prefix}_…)"),
        ("token_revoke", "user:alice", f"token laptop (ops_{token.prefix}_…)"),
    ]
    assert not any(plain[-20:] in event.body for event in AuditEvent.objects.all())


def test_a_role_is_on_record_with_the_one_before(team: Team, alice: User) -> None:
    boss = Actor("user:boss")
    add_member(team, alice, Role.APPROVER, actor=boss)
    add_member(team, alice, Role.APPROVER, actor=boss)

    added, changed = AuditEvent.objects.all()
    assert (added.verb, added.actor) == ("member_add", "system")
    assert (changed.verb, changed.actor, changed.object) == ("member_change", "user:boss", "alice in team default")
    assert changed.payload == {
        "before": {"role": "operator", "is_service": False},
        "after": {"role": "approver", "is_service": False},
    }


def test_choosing_the_preset_is_on_record(team: Team) -> None:
    use_solo_preset()
    use_solo_preset()

    assert _told() == [("rules_replace", "system", "installation's rules")]


def test_a_change_whose_event_cannot_be_written_does_not_happen(
    team: Team, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs.audit.chain.settings.AUDIT_KEYS", {})
    for change in (
        lambda: halt_all(Actor.system(), "now"),
        lambda: issue_token(alice, "laptop"),
        lambda: add_member(team, alice, Role.ADMINISTRATOR),
    ):
        with pytest.raises(NoKey), transaction.atomic():
            change()

    assert current_halt() is None
    assert not alice.api_tokens.exists()
    assert Membership.objects.get(user=alice).role == Role.OPERATOR

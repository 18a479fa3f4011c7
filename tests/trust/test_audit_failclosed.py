"""Where the audit cannot be written nothing happens: no change, no log-in, no step; and the API says 503."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as live
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client

from runs.audit.chain import NoKey
from runs.models import ApiToken, Approval, AuditEvent, Installation, Membership, Run, Step, Team, Vote
from runs.services.actors import Actor
from runs.services.halt import current_halt, halt_all
from runs.services.runs import add_note, cancel_run
from runs.services.teams import add_member
from runs.services.tokens import issue_token
from runs.states import ApprovalState, Role, RunState
from tests.conftest import PASSWORD
from tests.runs.story import a_run, approved, parked

NO_KEY, NO_ROOM = "no key", "no room"


@pytest.fixture(params=[NO_KEY, NO_ROOM])
def broken(request: pytest.FixtureRequest, db: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Breaks the audit when it is called: the key is gone, or the database takes no row of a log any more."""

    def no_key() -> None:
        monkeypatch.setattr(live, "AUDIT_KEYS", {})

    def no_room() -> None:
        with connection.cursor() as cursor:
            for statement in _full():
                cursor.execute(statement)

    return no_key if request.param == NO_KEY else no_room


def _full() -> list[str]:
    """Triggers that raise on every new row, as a full table space does."""
    if connection.vendor == "sqlite":
        raises = "SELECT RAISE(ABORT, 'append-only: disk full')"
        return [
            f"CREATE TRIGGER full_{table} BEFORE INSERT ON {table} BEGIN {raises}; END"
            for table in ("runs_step", "runs_auditevent")
        ]
    body = "BEGIN RAISE EXCEPTION 'append-only: disk full' USING ERRCODE = 'disk_full'; END"
    return [
        f"CREATE FUNCTION full_log() RETURNS trigger LANGUAGE plpgsql AS $${body}$$",
        "CREATE TRIGGER full_step BEFORE INSERT ON runs_step FOR EACH STATEMENT EXECUTE FUNCTION full_log()",
        "CREATE TRIGGER full_event BEFORE INSERT ON runs_auditevent FOR EACH STATEMENT EXECUTE FUNCTION full_log()",
    ]


def _fails(change: Callable[[], object]) -> None:
    with pytest.raises((NoKey, DatabaseError)), transaction.atomic():
        change()


@pytest.mark.django_db(transaction=True)
def test_nothing_of_the_installation_changes(
    team: Team, alice: User, bob: User, as_alice: Client, broken: Callable[[], None]
) -> None:
    client = Client(raise_request_exception=False)
    try:
        broken()
        _fails(lambda: halt_all(Actor.system(), "now"))
        _fails(lambda: issue_token(alice, "laptop"))
        _fails(lambda: add_member(team, alice, Role.ADMINISTRATOR))
        assert client.post("/login/", {"username": "bob", "password": PASSWORD}).status_code == 500
        assert client.get("/").status_code == 302, "nobody was logged in"
    finally:
        _mend()

    assert current_halt() is None
    assert not ApiToken.objects.exists()
    assert Membership.objects.get(user=alice).role == Role.OPERATOR


@pytest.mark.django_db(transaction=True)
def test_no_step_means_no_move_no_vote_and_no_note(
    team: Team, alice: User, bob: User, broken: Callable[[], None]
) -> None:
    approval = parked(team, alice)
    before = Run.objects.values().get(pk=approval.run_id)
    try:
        broken()
        _fails(lambda: approved(approval, bob))
        _fails(lambda: cancel_run(approval.run_id, Actor.person(alice)))
        _fails(lambda: add_note(approval.run_id, Actor.person(bob), "look at the pool"))
        _fails(lambda: a_run(team, alice))
    finally:
        _mend()

    assert Run.objects.values().get() == before
    assert Approval.objects.get().state == ApprovalState.PENDING
    assert not Vote.objects.exists()
    assert Step.objects.count() == before["n_steps"]


@pytest.mark.django_db(transaction=True)
def test_the_api_answers_503_and_a_stable_code(team: Team, alice: User, broken: Callable[[], None]) -> None:
    run = a_run(team, alice)
    _, plain = issue_token(alice, "ci")
    client = Client(headers={"Authorization": f"Bearer {plain}"})
    try:
        broken()
        answer = client.post(f"/api/runs/{run.pk}/cancel", {"reason": "a drill"}, "application/json")
    finally:
        _mend()

    assert answer.status_code == 503, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] in ("not_recorded", "database_unavailable")
    assert Run.objects.get().state == RunState.QUEUED


@pytest.mark.django_db(transaction=True)
def test_an_export_that_cannot_be_recorded_prints_nothing(
    team: Team, alice: User, broken: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    a_run(team, alice)
    try:
        broken()
        with pytest.raises((NoKey, DatabaseError, CommandError)):
            call_command("audit", "export")
    finally:
        _mend()

    assert capsys.readouterr().out == ""
    assert Installation.objects.get().n_events == AuditEvent.objects.count()


def _mend() -> None:
    statements: list[Any] = (
        ["DROP TRIGGER IF EXISTS full_runs_step", "DROP TRIGGER IF EXISTS full_runs_auditevent"]
        if connection.vendor == "sqlite"
        else ["DROP FUNCTION IF EXISTS full_log() CASCADE"]
    )
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)

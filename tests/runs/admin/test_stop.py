"""The stop switch's page in the admin, and what every other page says while the switch is set."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from runs.models import Installation, Team
from runs.permissions import may_halt
from runs.services.actors import Actor
from runs.services.halt import current_halt, go_on, halt_all
from runs.services.teams import add_member
from runs.states import Role, RunState
from tests.runs.making import make_run

REASON = "a hostile log line is being looked into."


@pytest.fixture
def as_admin(admin: User) -> Client:
    client = Client()
    client.force_login(admin)
    return client


def test_an_administrator_stops_everything_and_lets_it_go_on(as_admin: Client, team: Team) -> None:
    page = as_admin.post("/admin/stop/", {"turn": "stop", "reason": REASON}, follow=True).content.decode()
    halt = current_halt()
    assert halt is not None
    assert (halt.by, halt.reason) == ("user:admin", REASON)
    assert "Everything is stopped by admin:" in page
    page = as_admin.post("/admin/stop/", {"turn": "release"}, follow=True).content.decode()
    assert current_halt() is None
    assert "Everything is stopped" not in page


def test_without_a_reason_nothing_stops(as_admin: Client, team: Team) -> None:
    page = as_admin.post("/admin/stop/", {"turn": "stop", "reason": "  "}, follow=True).content.decode()
    assert "Say why everything stops" in page
    assert current_halt() is None


@pytest.mark.parametrize("turn", ["stop", "release"])
def test_approvers_and_a_teams_administrators_read_it_and_turn_nothing(
    as_bob: Client, team: Team, admin: User, turn: str
) -> None:
    dora = User.objects.create_user("dora")
    add_member(team, dora, Role.ADMINISTRATOR)
    as_dora = Client()
    as_dora.force_login(dora)
    if turn == "release":
        halt_all(Actor.person(admin), REASON)
    before = current_halt()
    for client in (as_bob, as_dora):
        page = client.get("/admin/stop/").content.decode()
        assert "Only an administrator of this installation" in page
        assert 'name="turn"' not in page
        assert client.post("/admin/stop/", {"turn": turn, "reason": REASON}).status_code == 403
    assert current_halt() == before


def test_an_operator_does_not_come_to_the_page(as_alice: Client, team: Team) -> None:
    assert as_alice.post("/admin/stop/", {"turn": "stop", "reason": REASON}, follow=True).status_code != 200
    assert current_halt() is None


def test_stopping_wants_the_forms_token(admin: User, team: Team) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin)
    assert client.post("/admin/stop/", {"turn": "stop", "reason": REASON}).status_code == 403
    assert current_halt() is None


def test_a_disabled_superuser_may_not_halt(admin: User) -> None:
    assert may_halt(admin)
    admin.is_active = False
    assert not may_halt(admin)


def test_every_page_names_who_stopped_everything_and_why(as_bob: Client, bob: User, team: Team, alice: User) -> None:
    run = make_run(team, alice, state=RunState.PLAN)
    halt_all(Actor.person(alice), "<b>bad</b> \u202edeploy.")
    for path in ("/", f"/runs/{run.pk}/", "/approvals/", "/tickets/", "/account/", "/admin/", "/admin/audit/",
                 "/admin/runs/run/", "/runs/new"):  # fmt: skip
        page = as_bob.get(path).content.decode()
        assert "Everything is stopped by alice:" in page, path
        assert "&lt;b&gt;bad&lt;/b&gt;" in page, path
        assert "\u202e" not in page, path
    go_on(Actor.person(alice))
    assert "Everything is stopped" not in as_bob.get("/").content.decode()


def test_a_stranger_is_told_nothing_of_it(client: Client, team: Team, alice: User) -> None:
    halt_all(Actor.person(alice), REASON)
    assert REASON not in client.get("/login/").content.decode()


def test_runs_that_would_move_are_stopped_and_the_others_are_what_they_were(
    as_bob: Client, team: Team, alice: User
) -> None:
    moving = make_run(team, alice, state=RunState.EXECUTE_TOOL)
    held = make_run(team, alice, state=RunState.PLAN, hold_reason="lunch", held_by="user:alice")
    ended = make_run(team, alice, state=RunState.CANCELLED)
    halt_all(Actor.shell("root"), REASON)
    assert "Stopped by root (command line)" in _badge(as_bob, moving.pk)
    assert "Held by alice" in _badge(as_bob, held.pk)
    assert "Cancelled" in _badge(as_bob, ended.pk)
    page = as_bob.get(f"/runs/{moving.pk}/").content.decode()
    assert "Stopped with all other runs." in page
    assert "Stopped with all other runs." not in as_bob.get(f"/runs/{ended.pk}/").content.decode()


def _badge(client: Client, pk: int) -> str:
    page = client.get(f"/runs/{pk}/top").content.decode()
    return page.partition('id="badge"')[2].partition("</span></span>")[0]


def test_a_database_without_its_row_is_not_stopped(db: None) -> None:
    Installation.objects.all().delete()
    assert current_halt() is None

"""The reviewed table of routes.yaml: every route of the site × method × role, each with the answer it must give."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from asgiref.sync import async_to_sync
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User

from runs.models import Team
from runs.routing import websocket_urlpatterns
from tests.trust.doors import DJANGOS, ROLES, World, make_world, routes

TABLE: dict[str, dict[str, Any]] = yaml.safe_load((settings.BASE_DIR / "tests" / "trust" / "routes.yaml").read_text())


@pytest.fixture
def world(team: Team) -> World:
    return make_world(team)


def test_every_route_has_its_row_and_every_row_its_route() -> None:
    sockets = [str(pattern.pattern) for pattern in websocket_urlpatterns]
    assert set(TABLE) == {*routes(), *sockets}, "say in tests/trust/routes.yaml who may do what there"
    for route, row in TABLE.items():
        assert set(row) == ({"WS"} if route in sockets else {"GET", "POST"}), route
        assert all(len(str(answers).split()) == len(ROLES) for answers in row.values()), route


@pytest.mark.parametrize("role", ROLES)
def test_the_answers_are_those_of_the_table(world: World, role: str) -> None:
    _hold(world, role, [route for route in routes() if not route.startswith(DJANGOS)])


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_the_admins_own_pages_answer_as_the_table_says(world: World, role: str) -> None:
    _hold(world, role, [route for route in routes() if route.startswith(DJANGOS)])


def _hold(world: World, role: str, wanted: list[str]) -> None:
    wrong = []
    for route in wanted:
        for method, answers in TABLE[route].items():
            expected = int(answers.split()[ROLES.index(role)])
            if (got := world.ask(role, method, route)) != expected:
                wrong.append(f"{role} {method} {world.address(route, world.people[role])}: {got}, not {expected}")
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_no_page_and_no_address_of_the_api_knows_another_method(world: World, method: str) -> None:
    """Even for a superuser. Django's own form views take a PUT for a POST, with the same guard against forgery."""
    djangos = ("admin/", "login/", "account/password")
    ours = [route for route in routes() if not route.startswith(djangos)]
    assert {world.ask("superuser", method, route) for route in ours} <= {404, 405, 410}


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("redis_url")
def test_the_socket_answers_as_the_table_says(team: Team) -> None:
    world = make_world(team)
    (route,) = (str(pattern.pattern) for pattern in websocket_urlpatterns)
    expected = dict(zip(ROLES, TABLE[route]["WS"].split(), strict=True))
    assert {role: _knock(world, world.people[role] or AnonymousUser()) for role in ROLES} == expected


def _knock(world: World, user: User | AnonymousUser) -> str:
    async def knock() -> str:
        socket = WebsocketCommunicator(URLRouter(websocket_urlpatterns), f"/ws/runs/{world.ended.pk}")
        socket.scope["user"] = user
        accepted, code = await socket.connect(timeout=10)
        await socket.disconnect()
        return "accepted" if accepted else str(code)

    return str(async_to_sync(knock)())

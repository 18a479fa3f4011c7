"""Nothing changes by a GET, nor by a POST that another site made a browser send."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django.apps import apps
from django.test import Client

from runs.invariants import check_all
from runs.models import Team
from tests.trust.doors import DJANGOS, PASSWORD, World, make_world, routes

OPEN = (
    "login/",
    "admin/login/",
    "logout/",
    "admin/logout/",
    "demo/",
)  # about the session only, and guarded all the same
UNSAFE = [route for route in routes() if not route.startswith(DJANGOS)]


@pytest.fixture
def world(team: Team) -> World:
    return make_world(team)


@pytest.fixture
def browser(world: World) -> Client:
    """The superuser's, with Django's check of forms in force, as in production."""
    client = Client(enforce_csrf_checks=True)
    assert client.login(username="superuser", password=PASSWORD)
    return client


def _record() -> str:
    """A digest of all that the product keeps; sessions and the mark of a log-in apart."""
    rows = [
        (model.__name__, sorted(map(str, model._default_manager.values_list())))
        for model in apps.get_app_config("runs").get_models()
    ]
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def _posted(browser: Client, world: World, route: str, **headers: Any) -> int:
    body, kind = world.body(route)
    return browser.post(world.address(route, world.people["superuser"]), body, **kind, **headers).status_code


def test_without_the_forms_token_nothing_changes(browser: Client, world: World) -> None:
    before = _record()
    statuses = {route: _posted(browser, world, route) for route in UNSAFE}
    assert _record() == before
    assert set(statuses.values()) <= {403, 404, 405, 410}, statuses
    assert check_all() == []


def test_a_form_of_another_origin_changes_nothing(browser: Client, world: World) -> None:
    before = _record()
    token = browser.get("/account/").context["csrf_token"]
    for origin in ("https://evil.example", "null", "http://testserver.evil.example"):
        for route in UNSAFE:
            status = _posted(browser, world, route, headers={"Origin": origin, "X-CSRFToken": str(token)})
            assert status in (403, 404, 405, 410), (route, origin, status)
    assert _record() == before


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_no_safe_method_changes_anything(world: World, method: str) -> None:
    client = Client()
    client.force_login(world.people["superuser"])
    before = _record()
    for route in UNSAFE:
        if route.startswith(OPEN):
            continue
        address = world.address(route, world.people["superuser"])
        query = f"?decision=approve&args_sha256={world.waiting.args_sha256}&id={world.waiting.pk}&_method=POST"
        assert client.generic(method, address + query).status_code < 500, address
    assert _record() == before


def test_the_api_takes_json_only(browser: Client, world: World) -> None:
    """A form needs no preflight, so an API that took one could be reached from any page."""
    token = browser.get("/account/").context["csrf_token"]
    before = _record()
    for route in UNSAFE:
        if not route.startswith("api/") or not route.endswith(
            ("decide$", "edit$", "notes$", "cancel$", "hold$", "^runs$")
        ):
            continue
        address = world.address(route, world.people["superuser"])
        for kind in ("application/x-www-form-urlencoded", "text/plain"):
            body = "decision=deny&reason=not+needed+any+more"
            answer = browser.post(address, body, content_type=kind, headers={"X-CSRFToken": str(token)})
            assert answer.status_code == 415, (address, kind, answer.status_code)
    assert _record() == before

"""The cast of every test (alice starts runs, bob and carol approve, mallory belongs to another team), and Redis."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from opspilot_site import redis_server
from runs.audit.append_only import take_down
from runs.models import Team
from runs.services.teams import add_member, seed_defaults
from runs.states import Role

PASSWORD = "correct horse battery"


def _person(name: str, team: Team, role: Role) -> User:
    user = User.objects.create_user(name, f"{name}@example.org", PASSWORD)
    add_member(team, user, role)
    return user


@pytest.fixture
def team(db: None) -> Team:
    """The team that alice, bob and carol belong to, under the default policy rules."""
    return seed_defaults()


@pytest.fixture
def other_team(db: None) -> Team:
    return Team.objects.create(name="other", slug="other")


@pytest.fixture
def alice(team: Team) -> User:
    return _person("alice", team, Role.OPERATOR)


@pytest.fixture
def bob(team: Team) -> User:
    return _person("bob", team, Role.APPROVER)


@pytest.fixture
def carol(team: Team) -> User:
    return _person("carol", team, Role.APPROVER)


@pytest.fixture
def mallory(other_team: Team) -> User:
    return _person("mallory", other_team, Role.APPROVER)


@pytest.fixture
def admin(db: None) -> User:
    """The superuser of the installation. She belongs to no team."""
    return User.objects.create_superuser("admin", "admin@example.org", PASSWORD)


@pytest.fixture
def unguarded(db: None) -> None:
    """The record without its triggers, as whoever owns the database can have it; with the test they are back."""
    take_down(connection)


def _signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def as_alice(alice: User) -> Client:
    return _signed_in(alice)


@pytest.fixture
def as_bob(bob: User) -> Client:
    return _signed_in(bob)


@pytest.fixture
def as_mallory(mallory: User) -> Client:
    return _signed_in(mallory)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A real Redis where the settings say that it is, for tests of the queue and of live pages."""
    argv = redis_server.command(settings.REDIS_SOCKET, settings.DATA_DIR)
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    while not redis_server.answers(settings.REDIS_URL):
        assert process.poll() is None, f"Redis ended with {process.returncode}"
        time.sleep(0.02)
    yield settings.REDIS_URL
    process.terminate()
    process.wait(10)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database-only", action="store_true", help="only tests that use the database, no browser")
    parser.addoption("--orders", type=int, default=200, help="examples that the slow state machine tries")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On the second database only what touches one is worth repeating."""
    if not config.getoption("--database-only"):
        return
    kept = [item for item in items if _uses_database(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def _uses_database(item: pytest.Item) -> bool:
    names = {"db", "transactional_db", "django_db_setup"} & set(getattr(item, "fixturenames", ()))
    return bool(names or item.get_closest_marker("django_db")) and not item.get_closest_marker("browser")

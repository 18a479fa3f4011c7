"""The cast of every test: alice starts runs, bob and carol approve, mallory belongs to another team."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

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

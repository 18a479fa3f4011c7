"""Bringing a database up to date: what is refused, what is copied first."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from opspilot_site.cast import seed_cast
from opspilot_site.database import WrongDatabase, copy_database, prepare_database
from runs.models import Installation, PolicyRule
from runs.policy.document import preset

pytestmark = pytest.mark.django_db


def test_a_prepared_database_is_left_as_it_is() -> None:
    assert prepare_database(demo=False) is None
    assert prepare_database(demo=False) is None
    assert Installation.objects.get().demo is False
    assert PolicyRule.objects.count() == len(preset("team"))


def test_a_database_of_a_newer_version_is_refused_by_name() -> None:
    MigrationRecorder.Migration.objects.create(app="runs", name="0999_from_the_future")

    with pytest.raises(WrongDatabase, match=r"A newer OpsPilot made this database \(runs.0999_from_the_future"):
        prepare_database()


def test_up_refuses_a_database_with_the_demos_people() -> None:
    prepare_database(demo=True)

    with pytest.raises(WrongDatabase, match="holds the demo's users"):
        prepare_database(demo=False)


def test_the_demo_refuses_a_database_in_real_use() -> None:
    prepare_database(demo=False)

    with pytest.raises(WrongDatabase, match="in real use"):
        prepare_database(demo=True)


def test_an_investigation_may_use_either() -> None:
    prepare_database(demo=True)

    prepare_database()


@pytest.mark.django_db(transaction=True)
def test_a_copy_is_complete_and_for_the_owner_only(tmp_path: Path) -> None:
    if connection.vendor != "sqlite":
        return  # there pg_dump does it
    User.objects.create_user("alice")

    copy = copy_database(tmp_path / "copies")

    assert copy.stat().st_mode & 0o777 == 0o600
    assert sqlite3.connect(copy).execute("select username from auth_user").fetchall() == [("alice",)]


def test_the_cast_has_its_roles_and_no_passwords() -> None:
    prepare_database(demo=True)
    seed_cast()
    people = {user.username: user for user in seed_cast()}

    assert list(people) == ["alice", "bob", "carol", "mallory", "admin"]
    assert [people[name].memberships.get().role for name in ("alice", "bob", "carol")] == [
        "operator", "approver", "approver",
    ]  # fmt: skip
    assert people["mallory"].memberships.get().team.slug == "payments"
    assert people["admin"].is_superuser
    assert not any(user.has_usable_password() for user in people.values())

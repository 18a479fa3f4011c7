"""The demo's people, from fixtures/demo.yaml. They exist in a demo database only and have no passwords."""

from __future__ import annotations

from typing import Any

import yaml
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from runs.models import Team
from runs.services.teams import add_member, make_team
from runs.states import Role

CAST = settings.BASE_DIR / "fixtures" / "demo.yaml"


@transaction.atomic
def seed_cast() -> list[User]:
    """Make the teams and people that are missing; answers everybody, in the file's order. Safe to repeat."""
    written = yaml.safe_load(CAST.read_text())
    teams = {slug: make_team(slug, name) for slug, name in written["teams"].items()}
    return [_person(entry, teams) for entry in written["people"]]


def _person(entry: dict[str, Any], teams: dict[str, Team]) -> User:
    user, is_new = User.objects.get_or_create(
        username=entry["name"],
        defaults={
            "first_name": entry["name"].capitalize(),
            "email": f"{entry['name']}@example.org",
            "is_staff": entry.get("staff", False) or entry.get("superuser", False),
            "is_superuser": entry.get("superuser", False),
        },
    )
    if is_new:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    if "team" in entry:
        add_member(teams[entry["team"]], user, Role(entry["role"]))
    return user

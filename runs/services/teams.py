"""Teams, members and the policy rules that a new installation starts with."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction

from runs.models import Installation, Membership, Team
from runs.policy.document import preset
from runs.services.actors import Actor
from runs.services.errors import forbidden
from runs.services.events import record_event
from runs.services.rules import replace_rules, seed_rules
from runs.states import Role


def default_team() -> Team:
    """The one team that always exists; stays invisible until there is a second."""
    return make_team("default", "Default")


def home_team(user: User) -> Team:
    """The team that a person's new runs belong to: the default team where they are in it, else their oldest.

    Raises Refused for a person without a team. A superuser without one works in the default team.
    """
    teams = list(Team.objects.filter(memberships__user=user).order_by("id"))
    if not teams and not user.is_superuser:
        raise forbidden("You are in no team yet; ask an administrator to add you to one.")
    default = default_team()
    return default if default in teams or not teams else teams[0]


def make_team(slug: str, name: str) -> Team:
    """The team of that slug. Safe to repeat: an existing one keeps its name."""
    team, _ = Team.objects.get_or_create(slug=slug, defaults={"name": name})
    return team


@transaction.atomic
def seed_defaults(demo: bool = False) -> Team:
    """The installation's row, the default team and, where there are none, the default rules. Safe to repeat."""
    Installation.objects.get_or_create(pk=1, defaults={"demo": demo})
    team = default_team()
    seed_rules()
    return team


def use_solo_preset() -> None:
    """One-person installation: the owner confirms writes. Safe to repeat."""
    replace_rules(None, preset("solo"), Actor.system(), "preset solo")


@transaction.atomic
def add_member(
    team: Team,
    user: User,
    role: Role,
    is_service: bool = False,
    *,
    actor: Actor = Actor.system(),  # noqa: B008  a constant
) -> Membership:
    """Give a user a role in a team, replacing the one they had. Safe to repeat: what is so already is not recorded."""
    old = Membership.objects.filter(team=team, user=user).first()
    before = {"role": old.role, "is_service": old.is_service} if old else None
    after = {"role": str(role), "is_service": is_service}
    member, _ = Membership.objects.update_or_create(team=team, user=user, defaults=after)
    if before != after:
        object = f"{user.get_username()} in team {team.slug}"
        record_event("member_change" if old else "member_add", actor=actor, object=object, before=before, after=after)
    return member

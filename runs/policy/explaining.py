"""A rule set explained against this installation: its tools, its teams, its people. Reads the record only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.contrib.auth.models import User

from runs import toolbox
from runs.models import Membership, Team
from runs.policy.explanation import Verdict, Voters, explain, notes, problems
from runs.policy.rules import Rule, version_of
from runs.states import Role


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a rule set comes to: per tool, what is wrong with it, and what is good to know."""

    rules: int
    version: str
    verdicts: list[Verdict]
    problems: list[str]
    notes: list[str]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def explanation_of(rules: Sequence[Rule], teams: list[Team]) -> Explanation:
    """The whole set as it holds for these teams. Two queries."""
    tools = {name: str(toolbox.describe(name)["risk"]) for name in toolbox.names()}
    voters = voters_of(teams)
    return Explanation(
        len(rules), version_of(rules), explain(rules, tools), problems(rules, tools, voters),
        notes(rules, tools, voters),
    )  # fmt: skip


def voters_of(teams: list[Team]) -> list[Voters]:
    """Active people only; a superuser who is no member counts as an administrator of every team. Two queries."""
    members = Membership.objects.filter(team__in=teams, user__is_active=True)
    rows = list(members.values_list("team_id", "user_id", "role", "is_service"))
    superusers = list(User.objects.filter(is_active=True, is_superuser=True).values_list("pk", flat=True))
    return [Voters(team.slug, _roles(team.pk, rows, superusers)) for team in teams]


def _roles(team_id: int, rows: list[tuple[int, int, str, bool]], superusers: list[int]) -> Counter[str]:
    own = [(user, role, is_service) for team, user, role, is_service in rows if team == team_id]
    known = {user for user, _, _ in own}
    roles = Counter(role for _, role, is_service in own if not is_service)
    roles[str(Role.ADMINISTRATOR)] += sum(user not in known for user in superusers)
    return roles

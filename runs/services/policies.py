"""Which calls run, need the owner, need votes, or are refused. Reads the rules; the driver and the pages ask."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

from django.db import DatabaseError
from django.db.models import Q

from runs.models import PolicyRule, Team
from runs.states import Effect, Role


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a policy says of one call; stored with the call and with its Approval as a snapshot."""

    effect: str
    votes: int
    role: str
    name: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


REFUSED = Ruling(Effect.REFUSE, 1, Role.APPROVER, "no rule matches, so it is refused")
STRICTEST = Ruling(Effect.APPROVE, 2, Role.APPROVER, "the policy cannot be read, so two votes are needed")
READ_ANYWAY = Ruling(Effect.RUN, 1, Role.APPROVER, "the policy cannot be read; reading runs")


def rules_of(team: Team) -> list[PolicyRule]:
    """The rules that hold for a team, in order: its own and the installation's."""
    return list(PolicyRule.objects.filter(Q(team=team) | Q(team=None)))


def rule_on(team: Team, tool: str, risk: str) -> Ruling:
    """The ruling for a call. Unreadable policies fail closed: reads run, everything else needs two approvals."""
    try:
        return first_match(rules_of(team), tool, risk)
    except (DatabaseError, ValueError):
        return READ_ANYWAY if risk == "read" else STRICTEST


def first_match(rules: Iterable[PolicyRule], tool: str, risk: str) -> Ruling:
    """The first rule whose glob and risk match; none matching refuses. Pure."""
    for rule in rules:
        if fnmatchcase(tool, rule.tool) and rule.risk in ("", risk):
            return Ruling(Effect(rule.effect), rule.votes, Role(rule.role), rule.name)
    return REFUSED

"""Changes to policy rules: one at a time from the admin, or a whole set at once. Each is one event of the audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from pydantic import ValidationError

from runs.models import PolicyRule, Team
from runs.policy.document import PolicyError, in_words, preset
from runs.policy.rules import Rule, version_of
from runs.services.actors import Actor
from runs.services.events import record_event
from runs.services.policies import rules_of

STEP = 10  # between the orders of two rules, so that one fits between them


def own_rules(team: Team | None) -> list[Rule]:
    """A team's own rules, or with None the installation's, as values. Raises PolicyError where one cannot be read."""
    rules = []
    for row in rules_of(team):
        try:
            rules.append(row.as_rule())
        except ValidationError as error:
            words = "; ".join(in_words(error))
            raise PolicyError(f"rule “{row.name}” in the {whose(team)} cannot be read: {words}") from None
        except TypeError:
            raise PolicyError(f"rule “{row.name}” in the {whose(team)} cannot be read: bad conditions") from None
    return rules


@transaction.atomic
def replace_rules(team: Team | None, rules: Sequence[Rule], actor: Actor, origin: str) -> bool:
    """Put a whole set in the place of a team's own rules, or of the installation's. False where nothing would change.

    One transaction: no call is judged by half of each. `origin` says where the set came from. Safe to repeat.
    """
    old = list(PolicyRule.objects.select_for_update().filter(team=team))
    before = [as_kept(row) for row in old]
    new = _rows(team, rules)
    if [_unplaced(kept) for kept in before] == [_unplaced(as_kept(row)) for row in new]:
        return False
    PolicyRule.objects.filter(pk__in=[row.pk for row in old]).delete()
    PolicyRule.objects.bulk_create(new)
    record_event(
        "rules_replace", actor=actor, object=whose(team), before={"rules": before},
        after={"rules": [as_kept(row) for row in new], "version": version_of(rules)}, origin=origin,
    )  # fmt: skip
    return True


@transaction.atomic
def save_rule(row: PolicyRule, actor: Actor) -> PolicyRule:
    """Write one rule, new or changed. Raises ValueError for one that could not be read back."""
    row.as_rule()
    old = PolicyRule.objects.select_for_update().filter(pk=row.pk).first() if row.pk else None
    before, after = as_kept(old) if old else None, as_kept(row)
    row.save()
    if before != after:
        record_event("rule_change" if old else "rule_add", actor=actor, object=_named(row), before=before, after=after)
    return row


@transaction.atomic
def delete_rule(row: PolicyRule, actor: Actor) -> None:
    """Take one rule away; what only it matched falls to the next, or is refused."""
    record_event("rule_delete", actor=actor, object=_named(row), before=as_kept(row))
    row.delete()


@transaction.atomic
def move_rule(row: PolicyRule, actor: Actor, up: bool) -> None:
    """Exchange a rule with its neighbour of the same owner. The first stays first. Not safe to repeat."""
    rows = list(PolicyRule.objects.select_for_update().filter(team=row.team))
    place = rows.index(row)
    other = place - 1 if up else place + 1
    if not 0 <= other < len(rows):
        return
    rows[place], rows[other] = rows[other], rows[place]
    for number, each in enumerate(rows, start=1):
        PolicyRule.objects.filter(pk=each.pk).exclude(order=number * STEP).update(order=number * STEP)
    record_event("rule_move", actor=actor, object=_named(row), before={"place": place + 1}, after={"place": other + 1})


@transaction.atomic
def seed_rules(name: str = "team") -> None:
    """The rules that a new installation starts with, where there are none at all: nobody's change. Safe to repeat."""
    if not PolicyRule.objects.exists():
        PolicyRule.objects.bulk_create(_rows(None, preset(name)))


def _rows(team: Team | None, rules: Sequence[Rule]) -> list[PolicyRule]:
    return [_row(team, place * STEP, rule) for place, rule in enumerate(rules, start=1)]


def _row(team: Team | None, order: int, rule: Rule) -> PolicyRule:
    kept = rule.as_json()
    conditions = {part: kept[part] for part in ("arguments", "environment", "starter", "tainted") if part in kept}
    return PolicyRule(
        team=team, order=order, name=rule.name, tool=rule.tool, risk=rule.risk, conditions=conditions,
        effect=rule.then, votes=rule.votes, role=rule.role, expiry_s=rule.expires,
    )  # fmt: skip


def as_kept(row: PolicyRule) -> dict[str, Any]:
    """The row's columns as the audit keeps them, whether or not they can be read as a rule."""
    return {
        "order": row.order, "name": row.name, "tool": row.tool, "risk": row.risk, "conditions": row.conditions,
        "effect": str(row.effect), "votes": row.votes, "role": str(row.role), "expiry_s": row.expiry_s,
    }  # fmt: skip


def _unplaced(kept: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in kept.items() if name != "order"}


def whose(team: Team | None) -> str:
    return f"rules of team {team.slug}" if team else "installation's rules"


def _named(row: PolicyRule) -> str:
    return f"“{row.name}” in the {whose(row.team)}"

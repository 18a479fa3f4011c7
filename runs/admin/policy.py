"""The policy page: the rules in their order and in words, what they come to, and the buttons that change the order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe
from pydantic import ValidationError

from runs.models import PolicyRule, Team
from runs.permissions import Verdict, may_change_rules
from runs.policy.difference import difference
from runs.policy.document import in_words
from runs.policy.explaining import Explanation, explanation_of
from runs.policy.rules import Rule
from runs.services.actors import Actor
from runs.services.policies import rules_of
from runs.services.rules import move_rule
from runs.views.asking import asker


@dataclass(frozen=True, slots=True)
class Row:
    """One rule as it is listed; `problem` says why it cannot be read."""

    row: PolicyRule
    rule: Rule | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules of one owner, and whether this person may change them."""

    team: Team | None
    rows: list[Row]
    may_change: Verdict


@dataclass(frozen=True, slots=True)
class Effective:
    """What holds for some teams: their own rules and the installation's. `found` None where they cannot be read."""

    teams: list[Team]
    found: Explanation | None


@dataclass(frozen=True, slots=True)
class Preview:
    """What saving a rule would change, and what the policy would come to then."""

    lines: list[tuple[str, str]]  # (+, - or blank, the rule in words)
    found: Explanation | None


@require_safe
def policy_page(request: HttpRequest, chrome: dict[str, Any]) -> HttpResponse:
    """Everybody who enters the admin may read what holds for their teams; administrators find the buttons."""
    user = asker(request)
    teams = list(Team.objects.order_by("id") if user.is_superuser else Team.objects.filter(memberships__user=user))
    own = [_rule_set(user, team) for team in teams]
    common = _rule_set(user, None)
    sets = [rule_set for rule_set in own if rule_set.rows] + [common]
    context = {"title": "Policy", "sets": sets, "effective": _effective(own, common), "many": len(teams) > 1,
               "may_add": any(rule_set.may_change for rule_set in [*own, common])}  # fmt: skip
    return render(request, "admin/policy.html", {**chrome, **context})


@require_POST
def move(request: HttpRequest, chrome: dict[str, Any]) -> HttpResponse:
    """One rule up or down among its owner's."""
    user = asker(request)
    row = PolicyRule.objects.filter(pk=request.POST.get("rule") or 0).first()
    if row is None:
        raise Http404("No such rule.")
    if not (verdict := may_change_rules(user, row.team)):
        raise PermissionDenied(verdict.why)
    move_rule(row, Actor.person(user), up=request.POST.get("to") == "up")
    return redirect("admin:policy")


def preview_of(row: PolicyRule) -> Preview:
    """The rules of the row's owner with the row in its place, against those of now."""
    before = rules_of(row.team)
    after = sorted(
        [*(other for other in before if other.pk != row.pk), row], key=lambda each: (each.order, each.pk or 0)
    )
    common = [] if row.team is None else rules_of(None)
    try:
        old, new = [each.as_rule() for each in before], [each.as_rule() for each in after]
        whole = [*new, *(each.as_rule() for each in common)]
    except (ValidationError, TypeError):
        return Preview([], None)
    teams = [row.team] if row.team else list(Team.objects.order_by("id"))
    return Preview([(line[0], line[2:]) for line in difference(old, new)], explanation_of(whole, teams))


def _rule_set(user: User, team: Team | None) -> RuleSet:
    return RuleSet(team, [_row(row) for row in rules_of(team)], may_change_rules(user, team))


def _row(row: PolicyRule) -> Row:
    try:
        return Row(row, row.as_rule())
    except ValidationError as error:
        return Row(row, None, "; ".join(in_words(error)))
    except TypeError:
        return Row(row, None, "its conditions are no mapping")


def _effective(own: Sequence[RuleSet], common: RuleSet) -> list[Effective]:
    """Teams with rules of their own apart, all others together."""
    plain = [rule_set.team for rule_set in own if not rule_set.rows and rule_set.team]
    found = [_explained([each.team], [*each.rows, *common.rows]) for each in own if each.rows and each.team]
    return [*found, *([_explained(plain, common.rows)] if plain or not own else [])]


def _explained(teams: list[Team], rows: Sequence[Row]) -> Effective:
    rules = [row.rule for row in rows if row.rule]
    return Effective(teams, explanation_of(rules, teams) if len(rules) == len(rows) else None)

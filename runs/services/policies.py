"""Which calls run, need the owner, need votes, or are refused: the rules of a team, applied to the calls of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.db.models import Q

from runs.models import Membership, PolicyRule, Run, Team, ToolCall
from runs.policy.rules import (
    READ_ANYWAY,
    REFUSED,
    STRICTEST,
    UNNAMED,
    UNREADABLE,
    Rule,
    Ruling,
    Subject,
    first_match,
    version_of,
)
from runs.services.taint import Marks, taint_of
from runs.states import Role

__all__ = [
    "REFUSED", "Judged", "Policy", "Ruling", "Subject", "Wanted", "first_match", "judge", "policy_of",
    "rule_on", "rule_on_call", "rules_of", "ruling_version", "subject_of",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules that hold for one team, in order; `rules` None where they cannot be read."""

    rules: tuple[Rule, ...] | None
    version: str

    def rule_on(self, subject: Subject) -> Ruling:
        """Unreadable policies fail closed: reads run, everything else needs two approvals."""
        if self.rules is None:
            return replace(READ_ANYWAY if subject.risk == "read" else STRICTEST, version=UNREADABLE)
        return first_match(self.rules, subject, self.version)


def rules_of(team: Team | None) -> list[PolicyRule]:
    """A team's own rules in order; with None, the installation's."""
    return list(PolicyRule.objects.filter(team=team))


def policy_of(team: Team) -> Policy:
    """What holds for a team: its own rules, then the installation's. One query."""
    try:
        # In a transaction a failed query would take everything down with it; a savepoint confines it.
        with transaction.atomic() if connection.in_atomic_block else nullcontext():
            rows = list(PolicyRule.objects.filter(Q(team=team) | Q(team=None)))
        rules = tuple(row.as_rule() for row in sorted(rows, key=lambda row: row.team_id is None))
    except (DatabaseError, ValueError, TypeError):
        return Policy(None, UNREADABLE)
    return Policy(rules, version_of(rules))


def ruling_version(team: Team) -> str:
    """Changes whenever the rules that hold for this team do; "unreadable" where they cannot be read."""
    return policy_of(team).version


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call that a planner, or a person who edits, wants to make in a run."""

    tool: str
    risk: str
    args: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Judged:
    """The ruling on a wanted call, and the marks of its copied arguments as ToolCall.taint keeps them."""

    ruling: Ruling
    taint: Marks


def judge(run: Run, wanted: Sequence[Wanted]) -> list[Judged]:
    """The rulings on calls that are not stored yet. Two queries; more where copied text must be looked for."""
    policy, starter = policy_of(run.team), starter_of(run)
    looked_at = [call for call in wanted if _taint_matters(policy, call)]
    found = taint_of(run, [call.args for call in looked_at]) if looked_at else []
    taint = {id(call): marks for call, marks in zip(looked_at, found, strict=True)}
    return [_judged(run, policy, starter, call, taint.get(id(call), [])) for call in wanted]


def _taint_matters(policy: Policy, call: Wanted) -> bool:
    """A person is shown what an effect was copied from. For a search it matters only if a rule asks."""
    rules = policy.rules or ()
    return call.risk != "read" or any(
        rule.tainted is not None and rule.is_about(call.tool, call.risk) for rule in rules
    )


def _judged(run: Run, policy: Policy, starter: str, call: Wanted, taint: Marks) -> Judged:
    tainted = [mark["argument"] for mark in taint]
    return Judged(policy.rule_on(subject_of(run, call.tool, call.risk, call.args, tainted, starter)), taint)


def rule_on(
    run: Run, tool: str, risk: str, args: Mapping[str, Any] | None = None, tainted: Sequence[str] = ()
) -> Ruling:
    """The ruling for a call of this run. `tainted` names the arguments that hold text copied from results."""
    return policy_of(run.team).rule_on(subject_of(run, tool, risk, args or {}, tainted))


def rule_on_call(call: ToolCall) -> Ruling:
    """The ruling on a stored call under the rules of now: what is asked before its approval is used."""
    tainted = [mark["argument"] for mark in call.taint]
    return rule_on(call.run, call.tool, call.risk, call.args, tainted)


def subject_of(
    run: Run, tool: str, risk: str, args: Mapping[str, Any], tainted: Sequence[str] = (), starter: str = ""
) -> Subject:
    """The call as rules see it. Costs a query where the starter is a person and `starter` is not given."""
    environments = frozenset(str(source.get("env") or UNNAMED) for source in run.sources)
    return Subject(tool, risk, args, environments, starter or starter_of(run), frozenset(tainted))


def starter_of(run: Run) -> str:
    """Who started the run, as rules name them: a role, service, alert, cli, former: no longer in the team."""
    if run.origin == "alert" or run.started_by.startswith("alert:"):
        return "alert"
    if run.started_by.startswith("cli:"):
        return "cli"
    if run.starter is None or not run.starter.is_active:
        return "former"
    member = Membership.objects.filter(team_id=run.team_id, user=run.starter).first()
    if member is None:
        return str(Role.ADMINISTRATOR) if run.starter.is_superuser else "former"
    return "service" if member.is_service else str(member.role)

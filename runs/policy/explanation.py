"""What a rule set comes to, in sentences: for each tool what happens when, and which rules are in vain. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product
from typing import Any

from runs.audit.chain import canonical
from runs.policy.rules import RANKS, RISKS, STARTERS, Only, Rule, votes_in_words
from runs.states import Effect, Role

OTHER = "any other tool"
UNNAMED_TOOL = "\x00"  # a name that only a rule for every tool matches


@dataclass(frozen=True, slots=True)
class Case:
    """What happens to a call of a tool where `where` holds and no earlier case did."""

    where: str  # in words; empty where nothing is asked
    effect: str
    rule: int | None  # its place, from 1; None where no rule matches
    name: str

    def __str__(self) -> str:
        by = f"rule {self.rule} “{self.name}”" if self.rule else "no rule matches"
        return f"{self.effect} ({by})"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The cases of some tools of one risk that fare alike, in order."""

    risk: str
    tools: list[str]
    cases: list[Case]

    def lines(self) -> Iterator[str]:
        """`where severity is SEV1: waits for 2 votes…`, `otherwise: …`."""
        for place, case in enumerate(self.cases):
            yield f"where {case.where}: {case}" if case.where else f"otherwise: {case}" if place else str(case)


@dataclass(frozen=True, slots=True)
class Voters:
    """How many active people of a team could vote at all, by role; service accounts are no people."""

    team: str
    roles: Mapping[str, int]

    def at_least(self, role: Role) -> int:
        return sum(count for name, count in self.roles.items() if RANKS.index(Role(name)) >= RANKS.index(role))


def explain(rules: Sequence[Rule], tools: Mapping[str, str]) -> list[Verdict]:
    """For each tool that is installed (name → risk), and for any other of each risk, what happens. By risk."""
    found = []
    for risk in RISKS:
        groups: dict[tuple[Case, ...], list[str]] = {}
        for name in [*(name for name, its in tools.items() if its == risk), OTHER]:
            cases = tuple(_cases(rules, UNNAMED_TOOL if name == OTHER else name, risk))
            groups.setdefault(cases, []).append(name)
        found += [Verdict(risk, names, list(cases)) for cases, names in groups.items()]
    return found


def _cases(rules: Sequence[Rule], tool: str, risk: str) -> Iterator[Case]:
    for number, rule in enumerate(rules, start=1):
        if rule.is_about(tool, risk) and not any(covers(earlier, rule) for earlier in rules[: number - 1]):
            yield Case(rule.conditions_in_words(), rule.effect_in_words(), number, rule.name)
            if not rule.is_conditional:
                return
    yield Case("", "is refused", None, "")


def problems(rules: Sequence[Rule], tools: Mapping[str, str], teams: Iterable[Voters] = ()) -> list[str]:
    """Rules that can never match, and requests that nobody could ever approve."""
    found = [words for number in range(1, len(rules) + 1) if (words := _in_vain(rules, number, tools))]
    for number, rule in enumerate(rules, start=1):
        for team in teams if rule.then == Effect.APPROVE else ():
            if (there := team.at_least(rule.role)) < rule.votes:
                found.append(f"{_called(rules, number)} asks for {votes_in_words(rule.votes, rule.role)}, and team "
                             f"{team.team} has {there or 'none'}: nobody can approve it.")  # fmt: skip
    return found


def notes(rules: Sequence[Rule], tools: Mapping[str, str], teams: Iterable[Voters] = ()) -> list[str]:
    """What may well be meant, and is good to know."""
    found = []
    for verdict in explain(rules, tools):
        names = [name for name in verdict.tools if name != OTHER]
        if names and verdict.cases[-1].rule is None:
            rest = "every call" if len(verdict.cases) == 1 else "what no rule names"
            found.append(f"{', '.join(names)} ({verdict.risk}): {rest} is refused.")
    alive = [number for number in range(1, len(rules) + 1) if not _in_vain(rules, number, tools)]
    for team in teams:
        for number in alive:
            rule = rules[number - 1]
            if rule.then == Effect.APPROVE and team.at_least(rule.role) == rule.votes:
                found.append(f"{_called(rules, number)} needs everybody who could vote in team {team.team}: what one "
                             "of them starts is never approved.")  # fmt: skip
    return found


def _called(rules: Sequence[Rule], number: int) -> str:
    return f"Rule {number} “{rules[number - 1].name}”"


def _in_vain(rules: Sequence[Rule], number: int, tools: Mapping[str, str]) -> str:
    rule, earlier = rules[number - 1], rules[: number - 1]
    named = {name: risk for name, risk in tools.items() if fnmatchcase(name, rule.tool)}
    if deciding := _shadowed_by(rule, earlier, RISKS if "*" in rule.tool or not named else sorted(set(named.values()))):
        which = " and ".join(f"rule {place} “{rules[place - 1].name}”" for place in deciding)
        return f"{_called(rules, number)} can never match: {which} decide{'s' * (len(deciding) == 1)} before it."
    if rule.tool.strip("*") and not named:
        return f"{_called(rules, number)} is about {rule.tool}, and no tool that is installed is called so."
    if rule.tool.strip("*") and rule.risk and rule.risk not in named.values():
        risks = ", ".join(sorted(set(named.values())))
        return f"{_called(rules, number)} is about {rule.tool} of risk {rule.risk}, but its risk is {risks}."
    return ""


def _shadowed_by(rule: Rule, earlier: Sequence[Rule], risks: Sequence[str]) -> list[int]:
    """The places of the rules that together leave nothing for this one; empty where something is left."""
    deciding: dict[int, None] = {}
    for part in _parts(rule, risks):
        place = next((place for place, other in enumerate(earlier, start=1) if covers(other, part)), None)
        if place is None:
            return []
        deciding.setdefault(place)
    return sorted(deciding)


def _parts(rule: Rule, risks: Sequence[str]) -> Iterator[Rule]:
    """The rule cut by risk, starter and taint, so that several rules may cover it together."""
    risks = [rule.risk] if rule.risk else risks
    taints: list[Any] = [True, False] if rule.tainted is None else [rule.tainted]
    for risk, starter, tainted in product(risks, rule.starter or STARTERS, taints):
        yield rule.model_copy(update={"risk": risk, "starter": [starter], "tainted": tainted})


def covers(one: Rule, other: Rule) -> bool:
    """Whether every call that `other` matches is matched by `one`. Says no where it cannot tell."""
    return (
        _glob_covers(one.tool, other.tool)
        and one.risk in ("", other.risk)
        and (not one.starter or (bool(other.starter) and set(other.starter) <= set(one.starter)))
        and _environment_covers(one, other)
        and _taint_covers(one.tainted, other.tainted)
        and all(_test_covers(test, other.arguments.get(path)) for path, test in one.arguments.items())
    )


def _glob_covers(one: str, other: str) -> bool:
    # `*` takes a star of the other side as text; `?` must not.
    return one == other or (("?" not in one or "*" not in other) and fnmatchcase(other, one))


def _environment_covers(one: Rule, other: Rule) -> bool:
    if not one.environment:
        return True
    wide = one.environment.only if isinstance(one.environment, Only) else one.environment
    narrow = other.environment.only if isinstance(other.environment, Only) else other.environment
    if isinstance(one.environment, Only) and not isinstance(other.environment, Only):
        return False
    return bool(narrow) and set(narrow) <= set(wide)


def _taint_covers(one: bool | list[str] | None, other: bool | list[str] | None) -> bool:
    if one is None or one == other:
        return True
    if one is True:
        return isinstance(other, list)
    return isinstance(one, list) and isinstance(other, list) and set(other) <= set(one)


def _test_covers(wide: Any, narrow: Any) -> bool:
    if narrow is None:
        return False
    if canonical(wide) == canonical(narrow):
        return True
    values = narrow if isinstance(narrow, list) else [narrow]
    return isinstance(wide, list) and {canonical(value) for value in values} <= {canonical(value) for value in wide}

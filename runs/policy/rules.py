"""Rules as values, and the one function that decides by them: `first_match(rules, subject)`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

import re2
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool

from runs.audit.chain import canonical, digest
from runs.policy.conditions import all_hold, check_tests, in_words, listed
from runs.states import Effect, Role

RISKS = ("read", "read_egress", "write", "destructive")
STARTERS = (*(str(role) for role in Role), "service", "alert", "cli", "former")  # former: no longer in the team
UNNAMED = "unnamed"  # the environment of a source whose URL names none
SHORTEST_S, LONGEST_S = 300, 30 * 86_400
UNITS = {"m": 60, "h": 3_600, "d": 86_400}
_GLOB = re2.compile(r"[A-Za-z0-9_.*?-]{1,120}")
_DURATION = re2.compile(r"(\d{1,6})\s*([mhd])")
RANKS = [Role.VIEWER, Role.OPERATOR, Role.APPROVER, Role.ADMINISTRATOR]
VOTERS = {Role.VIEWER: "a viewer", Role.OPERATOR: "an operator", Role.APPROVER: "an approver",
          Role.ADMINISTRATOR: "an administrator"}  # fmt: skip


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _seconds(value: Any) -> Any:
    """`90m`, `24h`, `7d` as seconds; a number is seconds already."""
    if isinstance(value, str):
        if not (found := _DURATION.fullmatch(value.strip())):
            raise ValueError(f"{value!r} is no time; write 30m, 24h or 7d")
        value = int(found.group(1)) * UNITS[found.group(2)]
    if isinstance(value, int) and not isinstance(value, bool) and not SHORTEST_S <= value <= LONGEST_S:
        raise ValueError("a request stays open for 5 minutes (5m) to 30 days (30d)")
    return value


def _checked_glob(glob: str) -> str:
    if not _GLOB.fullmatch(glob):
        raise ValueError(
            f"{glob!r} is no tool's name; letters, digits, _ . - and the wildcards * and ? may stand in it"
        )
    return glob


def _checked_tests(tests: dict[str, Any]) -> dict[str, Any]:
    check_tests(tests)
    return tests


Glob = Annotated[str, AfterValidator(_checked_glob)]
Names = Annotated[list[Annotated[str, Field(min_length=1, max_length=40)]], BeforeValidator(_as_list)]


class Only(BaseModel):
    """`environment: {only: [staging]}`: every source of the run stands in one of these."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    only: Names = Field(min_length=1)


class Rule(BaseModel):
    """One rule, as YAML spells it. Every part that is given must match; `then` says what happens to the call."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    name: str = Field(min_length=1, max_length=120)
    tool: Glob = "*"
    risk: Literal["", "read", "read_egress", "write", "destructive"] = ""
    arguments: Annotated[dict[str, Any], AfterValidator(_checked_tests)] = {}
    environment: Only | Names = []  # any of the run's sources stands in one of these
    starter: Annotated[list[Literal[STARTERS]], BeforeValidator(_as_list)] = []  # type: ignore[valid-type]
    tainted: StrictBool | Annotated[list[Glob], Field(min_length=1)] | None = None  # a list names arguments
    then: Effect
    votes: int = Field(1, ge=1, le=10, strict=True)
    role: Role = Role.APPROVER
    expires: Annotated[int | None, BeforeValidator(_seconds)] = None  # seconds; None: the installation's setting

    def matches(self, subject: Subject) -> bool:
        """Whether this rule is about that call. Cheap tests first."""
        return (
            self.is_about(subject.tool, subject.risk)
            and (not self.starter or subject.starter in self.starter)
            and self._covers(subject.environments)
            and self._fits(subject.tainted)
            and all_hold(self.arguments, subject.args)
        )

    def is_about(self, tool: str, risk: str) -> bool:
        return fnmatchcase(tool, self.tool) and self.risk in ("", risk)

    def _covers(self, environments: frozenset[str]) -> bool:
        if isinstance(self.environment, Only):
            return bool(environments) and environments <= set(self.environment.only)
        return not self.environment or not environments.isdisjoint(self.environment)

    def _fits(self, tainted: frozenset[str]) -> bool:
        if self.tainted is None:
            return True
        if isinstance(self.tainted, bool):
            return bool(tainted) is self.tainted
        return any(fnmatchcase(name, glob) for name in tainted for glob in self.tainted)

    @property
    def is_conditional(self) -> bool:
        """Whether anything but the tool and its risk decides if it matches."""
        return bool(self.arguments or self.environment or self.starter) or self.tainted is not None

    def as_json(self) -> dict[str, Any]:
        """Only what differs from the defaults, in the order of the fields: what YAML shows and the version hashes."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def conditions_in_words(self) -> str:
        """`severity is SEV1 and a source is in prod`; empty where nothing but tool and risk is asked."""
        parts = [in_words(path, test) for path, test in self.arguments.items()]
        if isinstance(self.environment, Only):
            parts.append(f"every source is in {listed(self.environment.only)}")
        elif self.environment:
            parts.append(f"a source is in {listed(self.environment)}")
        if self.starter:
            parts.append(f"started by {listed(self.starter)}")
        if self.tainted is not None:
            parts.append(_taint_words(self.tainted))
        return " and ".join(parts)

    def subject_in_words(self) -> str:
        """`create_* calls that write`."""
        calls = "any call" if self.tool == "*" else f"calls of {self.tool}"
        return calls + (f" of risk {self.risk}" if self.risk else "")

    def effect_in_words(self) -> str:
        match self.then:
            case Effect.RUN:
                return "runs"
            case Effect.REFUSE:
                return "is refused"
            case Effect.CONFIRM:
                return f"waits for the owner of the run, or {votes_in_words(self.votes, self.role)}{self._open_for()}"
            case _:
                return f"waits for {votes_in_words(self.votes, self.role)}{self._open_for()}"

    def _open_for(self) -> str:
        return f", open for {duration(self.expires)}" if self.expires else ""

    def __str__(self) -> str:
        where = f", where {words}" if (words := self.conditions_in_words()) else ""
        return f"{self.subject_in_words()}{where}: {self.effect_in_words()}"


def votes_in_words(votes: int, role: str) -> str:
    """`1 vote of an approver`, `2 votes of an administrator`."""
    return f"{votes} vote{'s' * (votes > 1)} of {VOTERS[Role(role)]}"


def _taint_words(tainted: bool | Sequence[str]) -> str:
    if isinstance(tainted, bool):
        return "text was copied from results" if tainted else "no text was copied from results"
    return f"{listed(tainted)} holds text copied from results"


def duration(seconds: int) -> str:
    """`24h`, `7d`, `90m`: the largest unit that says it exactly; odd seconds as a number."""
    for letter, size in reversed(UNITS.items()):
        if seconds % size == 0 and (letter != "d" or seconds >= 2 * size):
            return f"{seconds // size}{letter}"
    return f"{seconds} s"


@dataclass(frozen=True, slots=True)
class Subject:
    """One call as rules see it. `tainted` names the arguments that hold text copied from results or the alert."""

    tool: str
    risk: str
    args: Mapping[str, Any] = field(default_factory=dict)
    environments: frozenset[str] = frozenset()
    starter: str = ""
    tainted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a policy says of one call; stored with the call and with its Approval as a snapshot."""

    effect: str
    votes: int
    role: str
    name: str
    expiry_s: int | None = None
    version: str = ""  # of the team's whole rule set

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def asks_people(self) -> bool:
        return self.effect in (Effect.CONFIRM, Effect.APPROVE)


REFUSED = Ruling(Effect.REFUSE, 1, Role.APPROVER, "no rule matches, so it is refused")
STRICTEST = Ruling(Effect.APPROVE, 2, Role.APPROVER, "the policy cannot be read, so two votes are needed")
READ_ANYWAY = Ruling(Effect.RUN, 1, Role.APPROVER, "the policy cannot be read; reading runs")
UNREADABLE = "unreadable"  # the version of a policy that cannot be read


def first_match(rules: Iterable[Rule], subject: Subject, version: str = "") -> Ruling:
    """The ruling of the first rule that matches; none matching refuses. Pure."""
    for rule in rules:
        if rule.matches(subject):
            return Ruling(rule.then, rule.votes, rule.role, rule.name, rule.expires, version)
    return Ruling(REFUSED.effect, REFUSED.votes, REFUSED.role, REFUSED.name, None, version)


def version_of(rules: Sequence[Rule]) -> str:
    """16 hex digits that change whenever any rule, or the order of the rules, does."""
    return digest(canonical([rule.as_json() for rule in rules]))[:16]

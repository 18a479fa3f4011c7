"""Which past calls would have gone otherwise under other rules. Reads the record and writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q

from runs.models import Team, ToolCall
from runs.models.run import RunQuerySet
from runs.policy.rules import Ruling, votes_in_words
from runs.services.caps import CAPPED
from runs.services.policies import Policy, starter_of, subject_of
from runs.states import CallStatus, Effect, Role

MOST_CALLS = 20_000  # looked at, newest first
READ = ("run__team", "run__starter")


@dataclass(frozen=True, slots=True)
class Change:
    """One call that would have gone otherwise."""

    run: int
    call: int
    tool: str
    risk: str
    subject: str  # the argument that says most, cut
    then: str
    now: str
    rule_then: str
    rule_now: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(slots=True)
class Backtest:
    """What was looked at and what would have changed; `cut` where there were more calls than are looked at."""

    looked_at: int = 0
    changes: list[Change] = field(default_factory=list)
    cut: bool = False

    def __str__(self) -> str:
        calls = "call" if self.looked_at == 1 else "calls"
        return f"Would have changed {len(self.changes)} of {self.looked_at:,} past {calls}."


def backtest(runs: RunQuerySet, since: datetime, policy_for: Callable[[Team], Policy]) -> Backtest:
    """Judge the calls of runs created since then again. Two queries and one a starter; rows are read in portions.

    A call is judged as it was asked for: its arguments, its taint, the environments of its run. Roles are those of now.
    """
    done = Backtest()
    policies: dict[int, Policy] = {}
    starters: dict[tuple[Any, ...], str] = {}
    for call in _calls(runs, since):
        if done.looked_at == MOST_CALLS:
            done.cut = True
            break
        done.looked_at += 1
        run = call.run
        policy = policies[run.team_id] = policies.get(run.team_id) or policy_for(run.team)
        who = (run.team_id, run.starter_id, run.started_by, run.origin == "alert")
        starters[who] = starters.get(who) or starter_of(run)
        tainted = [mark["argument"] for mark in call.taint]
        now = policy.rule_on(subject_of(run, call.tool, call.risk, call.args, tainted, starters[who]))
        if differs(then := _then(call), now):
            done.changes.append(_change(call, then, now))
    return done


def _calls(runs: RunQuerySet, since: datetime) -> Iterator[ToolCall]:
    # Unusable arguments, or one request too many: that ended the call, not a rule.
    never_asked = Q(status=CallStatus.ERROR, started_at=None) | Q(rule__startswith=CAPPED)
    calls = ToolCall.objects.filter(run__in=runs, run__created_at__gte=since).exclude(never_asked)
    heavy = ("run__report", "run__hypotheses", "run__alert", "run__goal", "run__budget")
    return calls.select_related(*READ).defer(*heavy).order_by("-id")[: MOST_CALLS + 1].iterator(chunk_size=500)


def _then(call: ToolCall) -> Ruling:
    if call.ruling:
        return Ruling(**call.ruling)
    return Ruling(call.effect, 1, Role.APPROVER, call.rule)  # from before rulings were kept whole


def differs(then: Ruling, now: Ruling) -> bool:
    """Whether people would have noticed: another effect, or other votes where votes are asked."""
    if then.effect != now.effect or not now.asks_people:
        return then.effect != now.effect
    return (then.votes, then.role) != (now.votes, now.role)


def _change(call: ToolCall, then: Ruling, now: Ruling) -> Change:
    texts = [str(call.args.get(name, "")) for name in ("title", "name", "service", "pattern") if call.args.get(name)]
    return Change(
        call.run_id, call.pk, call.tool, call.risk, " ".join("".join(texts[:1]).split())[:60],
        in_words(then), in_words(now), then.name, now.name,
    )  # fmt: skip


def in_words(ruling: Ruling) -> str:
    """`runs`, `refused`, `2 votes of an approver`, `the owner, or 1 vote of an approver`."""
    votes = votes_in_words(ruling.votes, ruling.role)
    return {
        Effect.RUN: "runs", Effect.REFUSE: "refused", Effect.APPROVE: votes, Effect.CONFIRM: f"the owner, or {votes}",
    }[Effect(ruling.effect)]  # fmt: skip

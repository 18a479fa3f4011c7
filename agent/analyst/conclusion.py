"""The conclusion: a Report whose every claim is taken from the evidence. Which cause it names was decided before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from agent.analyst.casefile import RankedService
from agent.analyst.explanation import Assessment, Explanation, mechanisms, say
from agent.analyst.facts import Fact, numbered
from agent.analyst.grounds import all_facts
from agent.analyst.healthy import healthy_facts, healthy_reasons
from agent.analyst.ranked import WORTH_NAMING, unlike_quiet
from agent.analyst.remedies import actions
from agent.analyst.rivals import rivals
from agent.analyst.timeline import timeline
from agent.analyst.unseen import not_checked
from agent.analyst.wording import amount, answer, clock, iso, label, normal_words
from tools.generate_report import Report, RootCause, Ruled, Scope, Severity, Suspect

MAX_SUSPECTS = 5
STALE = timedelta(minutes=15)


def conclude(assessed: Assessment) -> dict[str, Any]:
    """The arguments of generate_report. Claims that EVALUATE sent back are left out."""
    if assessed.best is None:
        return _no_fault(assessed).model_dump(mode="json")
    return _fault(assessed, assessed.best).model_dump(mode="json")


def _fault(assessed: Assessment, best: Explanation) -> Report:
    found = assessed.found
    assert found.onset is not None  # noqa: S101
    facts = _accepted(assessed, all_facts(assessed))
    suspect = best.suspect
    cause = RootCause(
        entity=best.entity,
        kind=best.kind,
        change_id=suspect.change.id if suspect else None,
        mechanism=best.mechanism[:600],
    )
    return Report(
        verdict="cause" if best.is_convicted else "cannot_tell",
        summary=say(assessed),
        severity=severity(assessed),
        root_cause=cause if best.is_convicted else None,
        suspects=_suspects(assessed, best),
        onset=iso(found.onset),
        still_happening=_scope(assessed),
        first_failing=found.first_failing,
        affected=assessed.affected[:50],
        remediation=best.remediation,
        timeline=timeline(assessed),
        claims=list(numbered(facts)),
        ruled_out=[
            Ruled(statement=rival.statement, why=rival.why, evidence=list(rival.evidence))
            for rival in rivals(assessed) if not rival.is_open
        ],
        not_checked=not_checked(assessed),
        actions=actions(assessed),
    )  # fmt: skip


def _no_fault(assessed: Assessment) -> Report:
    facts = _accepted(assessed, healthy_facts(assessed.case))
    checked = bool(assessed.case.tracks or assessed.case.lines)
    near = [one for one in assessed.case.ranking if one.surprise >= WORTH_NAMING]
    return Report(
        verdict="no_fault" if checked and facts and not near else "cannot_tell",
        summary=_nothing_found(assessed, near) if checked else "The sources hold nothing to judge by.",
        severity="",
        suspects=unlike_quiet(assessed.case)[: len(near)],
        still_happening=Scope(ongoing=False if checked else None),
        claims=list(numbered(facts)),
        ruled_out=healthy_reasons(assessed.case),
        not_checked=not_checked(assessed),
    )


def _nothing_found(assessed: Assessment, near: Sequence[RankedService]) -> str:
    if not near:
        return say(assessed)
    return answer("Nothing strays as far as in one of 100 quiet times", f"; {near[0].service} comes closest")


def _accepted(assessed: Assessment, facts: Sequence[Fact]) -> list[Fact]:
    """The facts without those that were sent back, and inferences only on what is left."""
    refused = _refused_marks(assessed)
    kept = [(place, fact) for place, fact in enumerate(facts) if fact.mark not in refused]
    where = {old: new for new, (old, _) in enumerate(kept)}
    again = [(old, _rebased(fact, where)) for old, fact in kept]
    return [fact for _, fact in again if fact.kind != "inference" or fact.based_on]


def _rebased(fact: Fact, where: dict[int, int]) -> Fact:
    if fact.kind != "inference":
        return fact
    return Fact(
        fact.statement, "inference", fact.role, based_on=tuple(where[old] for old in fact.based_on if old in where)
    )


def _refused_marks(assessed: Assessment) -> set[tuple[str, str, str, str]]:
    case = assessed.case
    ids = {name for name, _ in case.rejected}
    last = next((move for move in reversed(case.moves) if move.is_conclusion), None)
    if last is None or not ids:
        return set()
    return {_mark(claim) for claim in last.requests[0].args.get("claims", []) if claim["id"] in ids}


def _mark(claim: dict[str, Any]) -> tuple[str, str, str, str]:
    return (claim["kind"], claim["evidence"], claim["quote"] or claim["figure"], claim["at"])


def severity(assessed: Assessment) -> Severity:
    """By what users feel: the highest error share at a service that others do not hide, and how many suffer."""
    felt = [one for one in assessed.found.moved if one.kind == "error" and one.departure.level <= 1.0]
    worst = max((one.departure.level for one in felt), default=0.0)
    alert = str(assessed.case.transcript.alert.get("severity", "")).lower()
    wide = len(assessed.affected) >= 2
    if worst >= 0.5 and wide:
        return "SEV1"
    if worst >= 0.05 or alert in ("critical", "page", "high"):
        return "SEV2"
    return "SEV3"


def _suspects(assessed: Assessment, best: Explanation) -> list[Suspect]:
    found = assessed.found
    if assessed.case.ranking and (best.ranked or not best.is_convicted):
        return _by_ranking(assessed)
    ranked = [best.entity, *(name for name, share in found.ranked if name != best.entity and share >= 0.01)]
    shares = dict(found.ranked)
    top = max(shares.values(), default=1.0)
    return [
        Suspect(
            entity=name,
            score=round(1.0 if place == 0 else min(0.95, 0.9 * shares.get(name, 0.0) / top), 3),
            evidence=sorted({one.track.evidence for one in found.moved_of(name)}),
            why=_why_suspect(assessed, name),
        )
        for place, name in enumerate(ranked[:MAX_SUSPECTS])
    ]


def _by_ranking(assessed: Assessment) -> list[Suspect]:
    """As the ranking has them, then those that only the triage knows."""
    ranked = unlike_quiet(assessed.case)
    known = {one.entity for one in ranked}
    others = [
        Suspect(entity=name, score=0.0, why=_why_suspect(assessed, name))
        for name in assessed.found.services if name not in known
    ]  # fmt: skip
    return [*ranked, *others][:MAX_SUSPECTS]


def _why_suspect(assessed: Assessment, service: str) -> str:
    moved = mechanisms(assessed.found, service)
    if moved:
        return f"{label(moved[0])} left its normal range at {clock(moved[0].onset)}"
    lines = assessed.found.outbreaks_of(service)
    return f"new lines since {clock(lines[0].kind.first_at)}" if lines else ""


def _scope(assessed: Assessment) -> Scope:
    """The latest value of what users feel, beside the normal one. Old rows cannot say whether it goes on."""
    is_fresh = assessed.case.as_of - assessed.case.ended <= STALE
    best = assessed.best
    moved = assessed.found.moved_of(best.entity) if best and best.ranked else assessed.found.moved
    felt = sorted(moved, key=lambda one: (one.kind not in ("error", "latency"), -one.strength))
    goes_on = any(one.departure.ongoing for one in felt[:3]) or _is_still_written(assessed)
    if not felt:
        return Scope(ongoing=True if goes_on and is_fresh else None)
    one = felt[0]
    last = amount(one.track.name, float(one.track.values[-1]))
    return Scope(
        ongoing=goes_on if is_fresh else None,
        latest=f"{label(one)} {last} at {clock(one.track.at(len(one.track.values) - 1))}",
        normal=normal_words(one.track.name, one.departure.normal).removeprefix("normal "),
    )


def _is_still_written(assessed: Assessment) -> bool:
    row = assessed.case.answer_to("still")
    return row is not None and row.figures.get("total", 0) > 0

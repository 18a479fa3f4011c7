"""The conclusion: a Report whose every claim is taken from the evidence. Which cause it names was decided before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from agent.analyst.explanation import Assessment, Explanation, mechanisms, say
from agent.analyst.facts import (
    Fact,
    absence_fact,
    change_fact,
    distinct,
    failure_fact,
    line_fact,
    moved_fact,
    numbered,
)
from agent.analyst.healthy import healthy_facts, healthy_reasons
from agent.analyst.questions import loudest
from agent.analyst.remedies import actions
from agent.analyst.rivals import rivals
from agent.analyst.triage import Moved
from agent.analyst.unseen import not_checked
from agent.analyst.wording import amount, capital, change_words, clock, label, names, normal_words, shorten
from agent.planner import Move
from tools.generate_report import Moment, Report, RootCause, Ruled, Scope, Suspect

MAX_SUSPECTS = 5


def facts_for(assessed: Assessment) -> list[Fact]:
    """What supports the best explanation: symptom, mechanism, change, and how far it spreads."""
    best, found = assessed.best, assessed.found
    if best is None or found.onset is None:
        return []
    entity = best.entity if best.entity in found.services else found.leader
    facts: list[Fact] = []
    facts += [moved_fact(one, "mechanism" if place == 0 else "symptom") for place, one in enumerate(mechanisms(found, entity)[:3])]
    facts += _spoken(assessed, entity)
    if failed := failure_fact(found.failures, entity):
        facts.append(failed)
    if best.suspect:
        facts.append(change_fact(best.suspect))
    if best.circumstance:
        facts += _circumstantial(assessed)
    is_measured = any(fact.kind == "number" for fact in facts)
    for place, one in enumerate(_felt_by_others(assessed, entity)[:3]):
        facts.append(moved_fact(one, "symptom" if place == 0 and not is_measured else "scope"))
    return distinct(facts)


def all_facts(assessed: Assessment) -> list[Fact]:
    """The same, with what speaks against the rivals, and what follows from it all."""
    best = assessed.best
    facts = distinct([*facts_for(assessed), *(fact for rival in rivals(assessed) for fact in rival.facts)])
    return [*facts, _inference(best, facts)] if best and best.is_convicted and len(facts) >= 2 else facts


def _spoken(assessed: Assessment, entity: str) -> list[Fact]:
    line = loudest(assessed, entity)
    if line is None:
        return []
    facts = [line_fact(line, "mechanism" if line.service == entity or not line.is_own else "symptom")]
    row = assessed.case.answer_to("not-before")
    if row is not None and row.evidence and row.figures.get("total") == 0:
        facts.append(absence_fact(row, clock(line.kind.first_at)))
    more = [one for one in assessed.found.outbreaks_of(entity) if one is not line and one.is_own]
    return facts + [line_fact(one, "symptom") for one in more[:1]]


def _circumstantial(assessed: Assessment) -> list[Fact]:
    circumstance = assessed.best.circumstance if assessed.best else None
    if circumstance is None:
        return []
    facts = [moved_fact(one, "mechanism") for one in circumstance.moved[:4]]
    services: set[str] = set()
    for one in circumstance.outbreaks:
        if one.service not in services:
            services.add(one.service)
            facts.append(line_fact(one, "mechanism"))
    if circumstance.record is not None:
        record = circumstance.record
        words = f"The status feed reports “{shorten(record.title, 120)}” since {clock(record.at)}"
        facts.append(Fact(words, "quote", "change", record.evidence, record.title))
    return facts[:7]


def _felt_by_others(assessed: Assessment, entity: str) -> list[Moved]:
    best_of: dict[str, Moved] = {}
    for one in sorted(assessed.found.moved, key=lambda one: -one.strength):
        if one.service in assessed.affected and one.service != entity and one.is_strong:
            best_of.setdefault(one.service, one)
    return list(best_of.values())


def _inference(best: Explanation, facts: Sequence[Fact]) -> Fact:
    grounds = [place for place, fact in enumerate(facts) if fact.role in ("mechanism", "change")][:4]
    grounds = grounds or [0]
    return Fact(capital(best.statement), "inference", "mechanism", based_on=tuple(grounds))


def conclude(assessed: Assessment) -> dict[str, Any]:
    """The arguments of generate_report. Claims that EVALUATE sent back are left out."""
    if assessed.best is None:
        return _no_fault(assessed).model_dump(mode="json")
    return _fault(assessed, assessed.best).model_dump(mode="json")


def _fault(assessed: Assessment, best: Explanation) -> Report:
    found, case = assessed.found, assessed.case
    assert found.onset is not None  # noqa: S101
    facts = _accepted(assessed, all_facts(assessed))
    suspect = best.suspect
    cause = RootCause(entity=best.entity, kind=best.kind, change_id=suspect.change.id if suspect else None, mechanism=best.mechanism[:600])
    return Report(
        verdict="cause" if best.is_convicted else "cannot_tell",
        summary=say(assessed),
        severity=severity(assessed),
        root_cause=cause if best.is_convicted else None,
        suspects=_suspects(assessed, best),
        onset=_iso(found.onset),
        still_happening=_scope(assessed),
        first_failing=found.first_failing,
        affected=assessed.affected[:50],
        remediation=best.remediation,
        timeline=_timeline(assessed),
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
    return Report(
        verdict="no_fault" if checked and facts else "cannot_tell",
        summary=say(assessed) if checked else "The sources hold nothing to judge by.",
        severity="",
        still_happening=Scope(ongoing=False if checked else None),
        claims=list(numbered(facts)),
        ruled_out=healthy_reasons(assessed.case),
        not_checked=not_checked(assessed),
    )


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
    return Fact(fact.statement, "inference", fact.role, based_on=tuple(where[old] for old in fact.based_on if old in where))


def _refused_marks(assessed: Assessment) -> set[tuple[str, str, str, str]]:
    case = assessed.case
    ids = {name for name, _ in case.rejected}
    last = next((move for move in reversed(case.moves) if move.is_conclusion), None)
    if last is None or not ids:
        return set()
    return {_mark(claim) for claim in last.requests[0].args.get("claims", []) if claim["id"] in ids}


def _mark(claim: dict[str, Any]) -> tuple[str, str, str, str]:
    return (claim["kind"], claim["evidence"], claim["quote"] or claim["figure"], claim["at"])


def severity(assessed: Assessment) -> Any:
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


def _why_suspect(assessed: Assessment, service: str) -> str:
    moved = mechanisms(assessed.found, service)
    if moved:
        return f"{label(moved[0])} left its normal range at {clock(moved[0].onset)}"
    lines = assessed.found.outbreaks_of(service)
    return f"new lines since {clock(lines[0].kind.first_at)}" if lines else ""


def _scope(assessed: Assessment) -> Scope:
    """The latest value of what users feel, beside the normal one."""
    felt = sorted(assessed.found.moved, key=lambda one: (one.kind not in ("error", "latency"), -one.strength))
    if not felt:
        return Scope()
    one = felt[0]
    last = float(one.track.values[-1])
    latest = f"{label(one)} {amount(one.track.name, last)} at {clock(one.track.at(len(one.track.values) - 1))}"
    return Scope(ongoing=any(moved.departure.ongoing for moved in felt[:3]), latest=latest, normal=normal_words(one.track.name, one.departure.normal))


def _timeline(assessed: Assessment) -> list[Moment]:
    found, best = assessed.found, assessed.best
    assert found.onset is not None  # noqa: S101
    moments: list[tuple[datetime, str, str]] = []
    if best and best.suspect:
        suspect = best.suspect
        did = suspect.judged.effect.words if suspect.judged.effect else shorten(suspect.change.title, 80)
        live = suspect.judged.candidate.live_at or suspect.change.at
        moments.append((live, capital(f"{change_words(suspect.change, suspect.deploy)}: {did}"), suspect.change.evidence))
    for one in assessed.suspects:
        near = abs(one.change.at - found.onset) <= timedelta(minutes=30)
        if near and (one.deploy or one.change.kind == "flag") and not (best and one is best.suspect):
            at = one.judged.candidate.live_at or one.change.at
            moments.append((at, capital(f"{change_words(one.change, one.deploy)} (not related)"), one.change.evidence))
    seen: set[str] = set()
    for moved in found.moved:
        if moved.service not in seen and moved.strength >= 0.3:
            seen.add(moved.service)
            words = f"{label(moved)} leaves its normal range ({normal_words(moved.track.name, moved.departure.normal)})"
            moments.append((moved.onset, words, moved.track.evidence))
    for outbreak in sorted(found.outbreaks, key=lambda one: one.kind.first_at)[:3]:
        moments.append((outbreak.kind.first_at, f"{outbreak.service} first writes “{shorten(outbreak.kind.example, 90)}”", outbreak.kind.evidence))
    if assessed.case.transcript.focus:
        moments.append((assessed.case.transcript.focus, "The alert fires", ""))
    moments.sort(key=lambda entry: entry[0])
    return [Moment(at=_iso(at), text=text, evidence=[evidence] if evidence else []) for at, text, evidence in moments[:20]]


def ticket(assessed: Assessment) -> dict[str, Any]:
    """The arguments of create_ticket: what is wrong, since when, why, and what to do."""
    best, found = assessed.best, assessed.found
    assert best is not None and found.onset is not None  # noqa: S101
    entity = best.entity
    facts = facts_for(assessed)
    steps = "\n".join(f"{place}. {action.text}" for place, action in enumerate(actions(assessed), 1))
    lines = "\n".join(f"- {fact.statement} ({fact.evidence})" for fact in facts[:8])
    hit = f"Affected: {names(assessed.affected, 5)}." if assessed.affected else "No other service is affected."
    body = f"{say(assessed)}\n\n{best.mechanism}\n\n{hit}\n\n## Facts\n{lines}\n\n## Next steps\n{steps}\n\nTimes are UTC."
    title = f"{entity}: {shorten(_title(best), 140)} since {clock(found.onset)}"
    return {"title": title[:200], "body": body[:20_000], "service": entity[:200], "severity": severity(assessed)}


def _title(best: Explanation) -> str:
    if best.suspect is None:
        return best.statement
    return f"fails after {change_words(best.suspect.change, best.suspect.deploy, best.entity)}"


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


__all__ = ["Move", "conclude", "facts_for", "severity", "ticket"]

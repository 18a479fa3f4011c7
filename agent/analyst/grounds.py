"""What the best explanation rests on, as facts in order: mechanism, symptom, change, spread, who is healthy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent.analyst.explanation import Assessment, Explanation, mechanisms
from agent.analyst.facts import (
    Fact,
    absence_fact,
    change_fact,
    distinct,
    failure_fact,
    line_fact,
    moved_fact,
    recent_fact,
    stray_fact,
)
from agent.analyst.moved import Moved
from agent.analyst.questions import loudest
from agent.analyst.rivals import rivals
from agent.analyst.wording import capital, clock, shorten


def facts_for(assessed: Assessment) -> list[Fact]:
    """What supports the best explanation: symptom, mechanism, change, and how far it spreads."""
    best, found = assessed.best, assessed.found
    if best is None or found.onset is None:
        return []
    entity = best.entity if best.entity in found.services else found.leader
    facts: list[Fact] = _ranked(assessed)
    facts += [
        moved_fact(one, "mechanism" if place == 0 else "symptom")
        for place, one in enumerate(mechanisms(found, entity)[:3])
    ]
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


def _ranked(assessed: Assessment) -> list[Fact]:
    """The signs of the service that the ranking names, then the first sign of those that stray with it."""
    best = assessed.best
    if best is None or best.ranked is None:
        return []
    own = [stray_fact(sign, "mechanism" if place == 0 else "symptom") for place, sign in enumerate(best.ranked.signs)]
    others = [one for one in assessed.case.ranking[1:4] if one.is_convincing]
    return own + [stray_fact(one.signs[0], "scope") for one in others]


def all_facts(assessed: Assessment) -> list[Fact]:
    """The same, with what speaks against the rivals, and what follows from it all."""
    best = assessed.best
    facts = distinct([*facts_for(assessed), *(fact for rival in rivals(assessed) for fact in rival.facts)])
    if best and best.is_by_timing_alone:  # no mechanism was seen and no diff read: such a cause is at most likely
        facts = [replace(fact, role="symptom") if fact.role in ("mechanism", "change") else fact for fact in facts]
    return [*facts, _inference(best, facts)] if best and best.is_convicted and len(facts) >= 2 else facts


def _spoken(assessed: Assessment, entity: str) -> list[Fact]:
    line = loudest(assessed, entity)
    if line is None:
        return []
    facts = [line_fact(line, "mechanism" if line.service == entity or not line.is_own else "symptom")]
    row = assessed.case.answer_to("not-before")
    if row is not None and row.evidence and row.figures.get("total") == 0:
        facts.append(absence_fact(row, clock(line.kind.first_at)))
    still = assessed.case.answer_to("still")
    if still is not None and still.evidence and still.figures.get("total", 0) > 0:
        facts.append(recent_fact(still))
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
    if circumstance.failures and (failed := failure_fact(circumstance.failures, circumstance.failures[0].service)):
        facts.append(failed)
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

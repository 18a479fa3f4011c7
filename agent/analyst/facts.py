"""Observations turned into claims that can be checked: a quote, a number at its time, an absence. Ranks nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from agent.analyst.casefile import Failure, Stray, Track
from agent.analyst.moved import Moved
from agent.analyst.outbreaks import Outbreak
from agent.analyst.suspects import Suspect
from agent.analyst.wording import amount, capital, change_words, clock, label, normal_words, shorten, unit_of
from agent.planner import Returned
from tools.analysis.anomalies import Normal, normal_of
from tools.generate_report import Claim

Role = Literal["symptom", "mechanism", "change", "scope", "healthy", "against"]
QUOTE_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Fact:
    """A claim without its number."""

    statement: str
    kind: Literal["quote", "number", "absence", "inference"]
    role: Role
    evidence: str = ""
    quote: str = ""
    figure: str = ""
    value: float | None = None
    unit: str = ""
    at: str = ""
    based_on: tuple[int, ...] = ()  # places of other facts in the same list

    @property
    def mark(self) -> tuple[str, str, str, str]:
        """What makes two facts the same claim."""
        return (self.kind, self.evidence, self.quote or self.figure, self.at)

    def as_claim(self, place: int) -> Claim:
        return Claim(
            id=f"C{place + 1}",
            statement=shorten(self.statement, 480),
            kind=self.kind,
            role=self.role,
            evidence=self.evidence,
            quote=self.quote,
            figure=self.figure,
            value=self.value,
            unit=self.unit,
            at=self.at,
            based_on=[f"C{other + 1}" for other in self.based_on],
        )


def numbered(facts: Sequence[Fact]) -> tuple[Claim, ...]:
    return tuple(fact.as_claim(place) for place, fact in enumerate(facts))


def distinct(facts: Iterable[Fact]) -> list[Fact]:
    """Each claim once, where it comes first."""
    kept: dict[tuple[str, str, str, str], Fact] = {}
    for fact in facts:
        kept.setdefault(fact.mark, fact)
    return list(kept.values())


def moved_fact(one: Moved, role: Role) -> Fact:
    """The series at the first point that shows its new level."""
    place = telling_point(one)
    value, at = float(one.track.values[place]), one.track.at(place)
    normal = normal_words(one.track.name, one.departure.normal)
    statement = f"{label(one)} is {amount(one.track.name, value)} at {clock(at)} ({normal})"
    return _number(one.track, place, statement, role)


def telling_point(one: Moved) -> int:
    departure = one.departure
    far = np.abs(one.track.values - departure.normal.median)
    enough = 0.7 * abs(departure.level - departure.normal.median)
    reached = np.flatnonzero(far[departure.onset :] >= enough)
    return departure.onset + int(reached[0]) if len(reached) else departure.peak


def latest_fact(track: Track, normal: Normal, role: Role) -> Fact:
    place = len(track.values) - 1
    value = amount(track.name, float(track.values[place]))
    words = normal_words(track.name, normal)
    statement = f"{track.name} of {track.service} is {value} at {clock(track.at(place))}, as usual ({words})"
    return _number(track, place, statement, role)


def healthy_fact(track: Track, place: int) -> Fact:
    """A series that did not move, at a point inside the incident."""
    normal = normal_of(track.values[: max(place, 2)], track.values)
    value = amount(track.name, float(track.values[place]))
    usual = normal_words(track.name, normal)
    statement = f"{track.name} of {track.service} stays at {value} at {clock(track.at(place))} ({usual})"
    return _number(track, place, statement, "healthy")


def _number(track: Track, place: int, statement: str, role: Role) -> Fact:
    return Fact(
        statement=statement,
        kind="number",
        role=role,
        evidence=track.evidence,
        figure=track.id,
        value=float(track.values[place]),
        unit=unit_of(track.name),
        at=track.times[place],
    )


def line_fact(one: Outbreak, role: Role) -> Fact:
    quote = one.kind.example[:QUOTE_LENGTH].rstrip()
    said, since = f"“{shorten(quote, 120)}”", clock(one.kind.first_at)
    statement = f"{one.service or 'the log'} writes {said} since {since}, {one.kind.count:,} times"
    return Fact(statement, "quote", role, one.kind.evidence, quote)


def absence_fact(row: Returned, onset: str) -> Fact:
    searched = int(row.figures.get("searched", 0))
    statement = f"Before {onset} no such line was written; {searched:,} lines were searched"
    return Fact(statement, "absence", "symptom", row.evidence, figure="total")


def recent_fact(row: Returned) -> Fact:
    total = row.figures["total"]
    statement = f"{int(total):,} such lines were written in the last 10 minutes of what was read"
    return Fact(statement, "number", "symptom", row.evidence, figure="total", value=float(total))


def change_fact(suspect: Suspect) -> Fact:
    """What the change did, in its own words: a line of its diff, else its title."""
    change, judged = suspect.change, suspect.judged
    when = suspect.deploy or change
    live = judged.candidate.live_at or when.at
    said = judged.effect.words if judged.effect else f"“{shorten(change.title, 120)}”"
    statement = f"{change_words(change, suspect.deploy)}, live at {clock(live)}: {said}"
    line = judged.effect.line if judged.effect and judged.effect.line in change.diff else change.title
    return Fact(capital(statement), "quote", "change", change.evidence, line[:QUOTE_LENGTH])


def stray_fact(sign: Stray, role: Role) -> Fact:
    """A sign of the ranking, by the figure that it gives."""
    return Fact(
        statement=f"{sign.service}: {sign.words}",
        kind="number",
        role=role,
        evidence=sign.evidence,
        figure=f"{sign.service} {sign.channel} now",
        value=sign.now,
        unit=sign.unit,
    )


def failure_fact(failures: Sequence[Failure], service: str) -> Fact | None:
    """The error in which the deepest failing spans of a service end."""
    own = [failure for failure in failures if failure.service == service and failure.error]
    if not own:
        return None
    quote = own[0].error[:QUOTE_LENGTH]
    count = f"{len(own)} of the newest {len(failures)} failed traces"
    statement = f"Requests fail deepest in {service}: “{shorten(quote, 120)}”, {count}"
    return Fact(statement, "quote", "mechanism", own[0].evidence, quote)

"""Checks claims against stored evidence. Pure: values in, values out. The outcome's label is computed in outcome.py."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import Any, Literal, Protocol

from agent.numbers import same, says
from tools.base import Status
from tools.generate_report import Claim

Verdict = Literal["quote_found", "number_matches", "nothing_found", "inference", "not_in_evidence"]
LEAST_QUOTE = 6  # characters; fewer stand in nearly every result


@dataclass(frozen=True)
class Exhibit:
    """One stored result, as claims are checked against it. The body is read once, and only if a claim cites it."""

    name: str
    status: str
    figures: Mapping[str, float]
    load: Callable[[], Mapping[str, Any]]
    source: str = ""
    freshness: datetime | None = None
    judged: dict[str, Checked] = field(default_factory=dict, compare=False, repr=False)  # evidence never changes

    @cached_property
    def data(self) -> Mapping[str, Any]:
        return self.load()


class EvidenceRow(Protocol):
    """What is read of a runs.models.Evidence."""

    status: str
    figures: Mapping[str, float]
    source: str
    freshness: datetime | None

    @property
    def name(self) -> str: ...
    @property
    def data(self) -> Mapping[str, Any]: ...


def exhibits_of(rows: Iterable[EvidenceRow]) -> dict[str, Exhibit]:
    """Exhibits by name. Rows may leave their body unread: it is loaded when a claim needs it."""
    return {
        row.name: Exhibit(row.name, row.status, row.figures, partial(getattr, row, "data"), row.source, row.freshness)
        for row in rows
    }


@dataclass(frozen=True, slots=True)
class Checked:
    """A claim with the server's verdict. `detail` is what was found, or why it does not hold."""

    claim: Claim
    verdict: Verdict
    detail: str

    @property
    def holds(self) -> bool:
        return self.verdict != "not_in_evidence"

    def as_json(self) -> dict[str, Any]:
        return {**self.claim.model_dump(mode="json"), "verdict": self.verdict, "detail": self.detail}


def check_claims(claims: Sequence[Claim], exhibits: Mapping[str, Exhibit]) -> list[Checked]:
    """Every claim with its verdict, in order. An inference holds when all it rests on holds."""
    direct = {claim.id: _check(claim, exhibits) for claim in claims if claim.kind != "inference"}
    known = {claim.id: claim for claim in claims}
    return [direct.get(claim.id) or _check_inference(claim, known, direct) for claim in claims]


def _check(claim: Claim, exhibits: Mapping[str, Exhibit]) -> Checked:
    exhibit = exhibits.get(claim.evidence)
    if exhibit is None:
        return _fails(claim, f"there is no evidence {claim.evidence or 'named'} in this run")
    key = claim.model_dump_json()
    if key not in exhibit.judged:
        exhibit.judged[key] = _judge(claim, exhibit)
    return exhibit.judged[key]


def _judge(claim: Claim, exhibit: Exhibit) -> Checked:
    if exhibit.status == Status.ERROR:
        return _fails(claim, f"{exhibit.name} is a failed call; it shows nothing")
    if claim.kind == "absence":
        return _check_absence(claim, exhibit)
    if exhibit.status == Status.NO_DATA:
        return _fails(claim, f"{exhibit.name} found nothing; it can only support an absence")
    return _check_quote(claim, exhibit) if claim.kind == "quote" else _check_number(claim, exhibit)


def _check_quote(claim: Claim, exhibit: Exhibit) -> Checked:
    quote = unicodedata.normalize("NFC", claim.quote)
    if len(quote.strip()) < LEAST_QUOTE:
        return _fails(claim, f"“{claim.quote}” is too short to show anything; quote at least {LEAST_QUOTE} characters")
    if any(quote in text for text in texts(exhibit.data)):
        return Checked(claim, "quote_found", f"“{claim.quote}”")
    return _fails(claim, f"{exhibit.name} does not contain these words")


def texts(value: Any) -> Iterator[str]:
    """Every string inside a JSON value, keys left out."""
    match value:
        case str():
            yield value
        case Mapping():
            for item in value.values():
                yield from texts(item)
        case list() | tuple():
            for item in value:
                yield from texts(item)


def _check_number(claim: Claim, exhibit: Exhibit) -> Checked:
    assert claim.value is not None  # noqa: S101  the schema demands it of a number
    found = _figure(claim, exhibit)
    if isinstance(found, str):
        return _fails(claim, found)
    value, when = found
    if not same(claim.value, value):
        return _fails(claim, f"{claim.figure} is {value:g}{when} in {exhibit.name}, not {claim.value:g}")
    if not says(claim.statement, value):
        return _fails(claim, f"its sentence gives another number; {claim.figure} is {value:g}{when} in {exhibit.name}")
    return Checked(claim, "number_matches", f"{claim.figure} = {value:g}{when}")


def _figure(claim: Claim, exhibit: Exhibit) -> tuple[float, str] | str:
    if not claim.at:
        if claim.figure in exhibit.figures:
            return exhibit.figures[claim.figure], ""
        return f"{exhibit.name} has no figure {claim.figure!r}"
    series = next((s for s in exhibit.data.get("series", []) if s.get("id") == claim.figure), None)
    if series is None:
        return f"{exhibit.name} has no series {claim.figure!r}"
    point = _point_at(series["points"], claim.at, exhibit.data.get("step_s", 60))
    return point or f"{claim.figure} has no value at {claim.at} in {exhibit.name}"


def _point_at(points: Sequence[Sequence[Any]], at: str, step_s: float) -> tuple[float, str] | None:
    wanted = _time(at)
    if wanted is None:
        return None
    for when, value in points:
        start = _time(when)
        if start is not None and start <= wanted < start + timedelta(seconds=step_s):
            return float(value), f" at {start:%H:%M:%S}"
    return None


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _check_absence(claim: Claim, exhibit: Exhibit) -> Checked:
    if exhibit.status == Status.NO_DATA:
        return Checked(claim, "nothing_found", f"{exhibit.name} searched and found nothing")
    if claim.figure and exhibit.figures.get(claim.figure) == 0:
        return Checked(claim, "nothing_found", f"{claim.figure} = 0")
    return _fails(claim, f"{exhibit.name} did find something")


def _check_inference(claim: Claim, known: Mapping[str, Claim], direct: Mapping[str, Checked]) -> Checked:
    weak = sorted(_unheld(claim, known, direct, set()))
    if weak:
        return _fails(claim, f"it rests on {', '.join(weak)}, which do not hold")
    return Checked(claim, "inference", f"from {', '.join(claim.based_on)}")


def _unheld(claim: Claim, known: Mapping[str, Claim], direct: Mapping[str, Checked], seen: set[str]) -> set[str]:
    """The claims under an inference that are missing, fail, or lead back to it."""
    failing: set[str] = set()
    for name in claim.based_on:
        below = known.get(name)
        if below is None or name in seen or name == claim.id:
            failing.add(name)
        elif below.kind == "inference":
            failing |= _unheld(below, known, direct, seen | {claim.id})
        elif not direct[name].holds:
            failing.add(name)
    return failing


def _fails(claim: Claim, why: str) -> Checked:
    return Checked(claim, "not_in_evidence", why)

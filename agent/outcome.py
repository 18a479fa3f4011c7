"""The outcome's label, computed by rules from checked claims. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.grounding import Checked, Exhibit
from agent.headline import ANSWER, CHANGE
from tools.base import Status
from tools.generate_report import Report

SUPPORTING = ("symptom", "mechanism", "change")
# What they say is somebody's words: the alert, a ticket, a runbook, a sub-run's findings. Its quote may hold, and yet
# it is no look at the system.
WITNESSES = ("sources", "tickets", "runbooks", "sub-runs")
BEYOND = {
    CHANGE: "the change that it blames stands in no result",
    ANSWER: "its answer gives a number that no claim shows",
}
FRESH = timedelta(minutes=15)  # a source whose newest row is older cannot show that nothing is wrong


@dataclass(frozen=True, slots=True)
class Label:
    """The outcome and the rules it met and did not meet, in words."""

    outcome: str
    met: list[str] = field(default_factory=list)
    unmet: list[str] = field(default_factory=list)


def label(report: Report, checked: Sequence[Checked], exhibits: Mapping[str, Exhibit], as_of: datetime) -> Label:
    """The outcome by the rules of docs/states.md: the planner's own certainty plays no part."""
    if report.verdict == "cause":
        return _label_cause(report, checked, exhibits)
    if report.verdict == "no_fault":
        return _label_no_fault(checked, exhibits, as_of)
    return Label("INCONCLUSIVE", [], ["no cause is named"])


def _label_cause(report: Report, checked: Sequence[Checked], exhibits: Mapping[str, Exhibit]) -> Label:
    seen = [c for c in checked if c.verdict in ("quote_found", "number_matches") and c.claim.role in SUPPORTING]
    facts = [c for c in seen if not _is_witness(exhibits[c.claim.evidence])]
    against = [c for c in checked if c.holds and c.claim.role == "against"]
    if not facts or len(against) >= len(facts):
        why = "as much speaks against the cause as for it" if facts else _nothing_supports(seen)
        return Label("INCONCLUSIVE", [], [why])
    rules = _cause_rules(report, facts, against, exhibits)
    rules += [(False, "", words) for ident, words in BEYOND.items() if any(c.claim.id == ident for c in checked)]
    met, unmet = [words for ok, words, _ in rules if ok], [words for ok, _, words in rules if not ok]
    return Label("LIKELY" if unmet else "CONFIRMED", met, unmet)


def _nothing_supports(seen: Sequence[Checked]) -> str:
    if seen:
        return "only the alert, a ticket, a runbook or a finding says so: words of others, no look at the system"
    return "no checked fact supports the cause"


def _cause_rules(
    report: Report, facts: Sequence[Checked], against: Sequence[Checked], exhibits: Mapping[str, Exhibit]
) -> list[tuple[bool, str, str]]:
    """(met, words if met, words if not) for each rule of CONFIRMED."""
    sources = _independent(exhibits[fact.claim.evidence].source for fact in facts)
    roles = {fact.claim.role for fact in facts}
    refuted = any(_shows(exhibits.get(name)) for ruled in report.ruled_out for name in ruled.evidence)
    measured = any(fact.verdict == "number_matches" for fact in facts)
    return [
        (sources >= 2, f"{sources} sources agree", "only one source shows it"),
        (bool(roles & {"mechanism", "change"}), "mechanism or change was seen", "neither mechanism nor change seen"),
        (refuted, "an alternative was ruled out", "no alternative was ruled out"),
        (not against, "nothing speaks against it", f"{_count(len(against), 'fact speaks', 'facts speak')} against it"),
        (measured, "at least one fact is a measured number", "it rests on text from outside alone"),
    ]  # fmt: skip


def _is_witness(exhibit: Exhibit) -> bool:
    return exhibit.source.rpartition(":")[2] in WITNESSES


def _shows(exhibit: Exhibit | None) -> bool:
    """Whether a result can speak against an alternative: a failed call cannot, nor can somebody's words."""
    return exhibit is not None and exhibit.status != Status.ERROR and not _is_witness(exhibit)


def _independent(sources: Iterable[str]) -> int:
    """How many sources there are, where a result that read several ("a:logs+a:traces") is none beside any of them."""
    groups: list[set[str]] = []
    for source in sources:
        parts = set(source.split("+"))
        joined = [group for group in groups if group & parts]
        groups = [group for group in groups if not group & parts] + [parts.union(*joined)]
    return len(groups)


def _label_no_fault(checked: Sequence[Checked], exhibits: Mapping[str, Exhibit], as_of: datetime) -> Label:
    healthy = [
        c for c in checked
        if c.holds and c.claim.role == "healthy" and c.claim.evidence and not _is_witness(exhibits[c.claim.evidence])
    ]  # fmt: skip
    fresh = [c for c in healthy if _is_fresh(exhibits[c.claim.evidence], as_of)]
    if not fresh:
        why = "no checked fact shows health" if not healthy else "the sources are not fresh enough to show health"
        return Label("INCONCLUSIVE", [], [why])
    words = _count(len(fresh), "checked fact in a fresh source shows", "checked facts in fresh sources show")
    return Label("NO_FAULT", [f"{words} health"])


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _is_fresh(exhibit: Exhibit, as_of: datetime) -> bool:
    return exhibit.freshness is not None and as_of - exhibit.freshness <= FRESH

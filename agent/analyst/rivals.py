"""Other explanations that come to mind, and what speaks against each: changes, dependencies, steady noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from agent.analyst.explanation import Assessment
from agent.analyst.facts import Fact, change_fact, healthy_fact
from agent.analyst.moved import best_tracks
from agent.analyst.outbreaks import Outbreak
from agent.analyst.suspects import Suspect
from agent.analyst.wording import capital, change_words, clock, names, shorten
from tools.analysis.anomalies import MIN_POINTS
from tools.analysis.metric_words import kind_of
from tools.analysis.windows import compare_counts

NEAR = timedelta(hours=6)
MOST_CHANGES = 4
CLOSE = 0.6


@dataclass(frozen=True, slots=True)
class Rival:
    """An alternative and why it is not the cause; `is_open` where only little speaks against it."""

    statement: str
    why: str
    evidence: tuple[str, ...]
    facts: tuple[Fact, ...] = ()
    is_open: bool = False
    entity: str = ""


def rivals(assessed: Assessment) -> list[Rival]:
    """The most tempting first."""
    if assessed.best is None or assessed.found.onset is None:
        return []
    return [*_dependencies(assessed), *_changes(assessed), *_noise(assessed), *_bursts(assessed)]


def _changes(assessed: Assessment) -> list[Rival]:
    onset = assessed.found.onset
    assert onset is not None  # noqa: S101
    convicted = assessed.best.suspect if assessed.best else None
    others = [one for one in assessed.suspects if one is not convicted and abs(_live(one) - onset) <= NEAR]
    others.sort(key=lambda one: (-_temptation(one, assessed), abs(_live(one) - onset)))
    return [_change(one, assessed) for one in others[:MOST_CHANGES]]


def _temptation(suspect: Suspect, assessed: Assessment) -> float:
    """What a responder would look at first: near the cause's score, live, and at a service in trouble."""
    is_live = suspect.deploy is not None or suspect.change.kind in ("deploy", "flag")
    at = suspect.judged.candidate.service
    return 2.0 * suspect.judged.convicts + is_live + (is_live and at in assessed.found.services) + suspect.judged.score


def _live(suspect: Suspect) -> datetime:
    return suspect.judged.candidate.live_at or suspect.change.at


def _change(suspect: Suspect, assessed: Assessment) -> Rival:
    change, judged = suspect.change, suspect.judged
    said = "" if change.kind == "flag" else f" (“{shorten(change.title, 80)}”)"
    statement = f"{change_words(change, suspect.deploy)}{said}"
    is_open = judged.convicts and _is_close(suspect, assessed)
    facts = (_against(suspect),) if is_open else ()
    return Rival(
        capital(statement), _why_not(suspect, assessed), (change.evidence,), facts, is_open, judged.candidate.service
    )


def _is_close(suspect: Suspect, assessed: Assessment) -> bool:
    """Whether it fits nearly as well as the cause named."""
    return assessed.best is None or suspect.judged.score >= CLOSE * assessed.best.score


def _against(suspect: Suspect) -> Fact:
    fact = change_fact(suspect)
    return replace(fact, role="against", statement=f"{fact.statement}; this could have done it too")


def _why_not(suspect: Suspect, assessed: Assessment) -> str:
    judged = suspect.judged
    if judged.cleared:
        return judged.cleared
    if judged.convicts and _is_close(suspect, assessed):
        return "it fits less well than the cause named, but it is not excluded"
    if judged.reach <= 0.35 and judged.candidate.service:
        return f"{judged.candidate.service} only follows; {assessed.found.leader} moved first"
    if judged.timing < 0.3:
        return f"it was live since {clock(judged.candidate.live_at or suspect.change.at)}, long before the onset"
    if judged.relation < 0.2:
        return "nothing in it speaks of what fails"
    return "it takes no check, limit or bound away that could produce this fault"


def _dependencies(assessed: Assessment) -> list[Rival]:
    """What the faulty service calls and what stayed healthy."""
    found, case = assessed.found, assessed.case
    entity = assessed.best.entity if assessed.best else ""
    strong = {one.service for one in found.moved if one.is_strong}
    callees = [name for name in sorted(case.graph.callees.get(entity, frozenset())) if name not in strong]
    answers = []
    for name in callees[:2]:
        facts = _healthy(assessed, name)
        if facts:
            why = " and ".join(fact.statement for fact in facts)
            answers.append(
                Rival(
                    f"{name}, which {entity} calls, is at fault",
                    why,
                    tuple({f.evidence for f in facts}),
                    facts,
                    entity=name,
                )
            )
    return answers


def _healthy(assessed: Assessment, service: str) -> tuple[Fact, ...]:
    onset = assessed.found.onset
    assert onset is not None  # noqa: S101
    moved = {one.track.id for one in assessed.found.moved}
    order = {"latency": 0, "error": 1, "saturation": 2}
    tracks = [track for track in best_tracks(assessed.case) if track.service == service and track.id not in moved]
    tracks = sorted(
        (track for track in tracks if kind_of(track.name) in order), key=lambda track: order[kind_of(track.name)]
    )
    middle = onset + (assessed.case.as_of - onset) / 2
    places = [(track, track.index_at(middle)) for track in tracks]
    return tuple([healthy_fact(track, place) for track, place in places if place >= MIN_POINTS][:2])


def louder_elsewhere(assessed: Assessment) -> list[str]:
    """Services outside the fault that write many errors all the time."""
    inside = set(assessed.found.services)
    counts: dict[str, int] = {}
    for kind in assessed.case.lines:
        row = next(row for row in assessed.case.results if row.evidence == kind.evidence)
        if row.args.get("level") == "ERROR" and not row.args.get("service") and kind.service not in inside:
            counts[kind.service] = counts.get(kind.service, 0) + kind.count
    return [name for name in sorted(counts, key=lambda name: -counts[name]) if name and counts[name] >= 20]


def _noise(assessed: Assessment) -> list[Rival]:
    """Errors elsewhere that are as frequent since the onset as in the same time before."""
    answers = []
    for row in assessed.case.of_tool("search_logs"):
        service = row.args.get("service", "")
        if not row.request_id.startswith("noise-") or row.status != "success" or assessed.found.onset is None:
            continue
        before, after = int(row.figures.get("before", 0)), int(row.figures.get("total", 0))
        minutes = max((assessed.case.as_of - assessed.found.onset).total_seconds() / 60, 1.0)
        if before == 0 or compare_counts(before, minutes, after, minutes).is_multiplied:
            continue
        since = clock(assessed.found.onset)
        words = f"{service} writes {after:,} errors since {since}, against {before:,} in the same time before"
        fact = Fact(words, "number", "healthy", row.evidence, figure="before", value=float(before))
        answers.append(Rival(f"The errors of {service}", fact.statement, (row.evidence,), (fact,), entity=service))
    return answers


def _bursts(assessed: Assessment) -> list[Rival]:
    return [_burst(one, assessed) for one in assessed.found.past[:1]]


def _burst(one: Outbreak, assessed: Assessment) -> Rival:
    when = f"it ran from {clock(one.kind.first_at)} to {clock(one.kind.last_at)}"
    why = f"{when}, and no call or complaint ties {one.service} to {names(assessed.found.services, 2)}"
    statement = f"The burst of {one.kind.count:,} lines “{shorten(one.kind.template, 60)}” from {one.service}"
    return Rival(statement, why, (one.kind.evidence,), entity=one.service)

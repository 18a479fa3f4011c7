"""correlate_changes: which change could have produced a fault: it reaches the service, is live in time, and can do it.

data = {
  "onset": iso, "service": str,
  "changes": [{
     "id": str, "kind": "deploy" | "commit" | "flag", "service": str, "title": str, "version": str,
     "live_at": iso, "minutes_before": f,     # before the onset; negative: after it
     "score": f,                              # 0 to 1: reach × timing × what it can do × how much it tells of the fault
     "convicts": bool,                        # fits well enough to be named as the cause
     "effect": str,                           # what its diff does, in words; "" where there is none to be read
     "line": str,                             # the line of the diff that does it
     "shared_words": [str, …],                # words of the change that the symptom uses too
     "cleared": str                           # why it cannot be the cause; "" where nothing clears it
  }, …]                                       # likeliest first, at most `limit`
}
figures: changes, convicting.   source = "<name>:changes"
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from tools.analysis.blame import Candidate, Fault, Judged, judge
from tools.analysis.terms import terms
from tools.base import Params, Risk, Status, Tool, ToolContext, ToolResult
from tools.reach import Reach, reach
from tools.sources.changes.change import Change
from tools.sources.timestamps import from_us, iso
from tools.timerange import resolve

SLACK = timedelta(seconds=90)  # how far an onset may be off
BEFORE = timedelta(hours=24)


class CorrelateChanges(Params):
    service: str = Field(min_length=1, max_length=200, description="The service that fails or failed first.")
    onset: str = Field(min_length=1, description="When it began: ISO 8601, '02:14' or 'last 30m'.")
    symptom: str = Field(
        "", max_length=2_000, description="How it fails, in its own words: an error line, a metric's name, an endpoint."
    )
    source: str = Field("", description="Name of a source; empty asks all of them.")
    limit: int = Field(10, ge=1, le=100)


def run(context: ToolContext, params: CorrelateChanges) -> ToolResult:
    sources = context.sources.changes(params.source)
    onset = resolve(params.onset, "", context.as_of, None).since
    within = reach(context, "changes", sources, iso(onset - BEFORE), "")
    every = sorted((change for source in sources for change in source.changes()), key=lambda change: change.at_us)
    inside = [change for change in every if within.since_us <= change.at_us < within.until_us]
    live = {candidate.id: (change, candidate) for change, candidate in _candidates(inside)}
    known = sorted({*context.sources.services(), params.service})
    judged = judge([candidate for _, candidate in live.values()], _fault(params, onset), known)
    shown = [_row(one, live[one.candidate.id][0], onset) for one in judged[: params.limit]]
    convicting = sum(one.convicts for one in judged)
    return ToolResult(
        status=Status.SUCCESS if shown else Status.NO_DATA,
        summary=_summary(params, within, shown, convicting),
        data={"onset": iso(onset), "service": params.service, "changes": shown},
        figures={"changes": len(judged), "convicting": convicting},
        query=within.query(service=params.service, onset=iso(onset), symptom=params.symptom, limit=params.limit),
        source=within.source,
        freshness=within.newest,
        skipped=within.skipped,
    )


def _candidates(changes: Sequence[Change]) -> Iterable[tuple[Change, Candidate]]:
    """A commit is live with the deploy that carried it; a deploy whose commit is here stands for itself no more."""
    commits = {change.id for change in changes if change.kind == "commit"}
    carried: dict[str, Change] = {}
    for change in changes:
        if change.kind == "deploy" and change.commit:
            carried.setdefault(change.commit, change)
    for change in changes:
        if change.kind == "status" or (change.kind == "deploy" and change.commit in commits):
            continue
        deploy = carried.get(change.id) if change.kind == "commit" else None
        at = from_us((deploy or change).at_us)
        service = change.service or (deploy.service if deploy else "")
        yield change, Candidate(change.id, change.kind, service, at, change.title, tuple(change.files), change.diff)


def _fault(params: CorrelateChanges, onset: datetime) -> Fault:
    words = dict.fromkeys(terms(params.symptom), 1.0)
    return Fault(words, frozenset(), {params.service: 1.0}, {params.service: [onset]}, onset, SLACK)


def _row(one: Judged, change: Change, onset: datetime) -> dict[str, Any]:
    live_at = one.candidate.live_at or from_us(change.at_us)
    return {
        "id": change.id,
        "kind": change.kind,
        "service": one.candidate.service,
        "title": change.title,
        "version": change.version,
        "live_at": iso(live_at),
        "minutes_before": round((onset - live_at).total_seconds() / 60, 1),
        "score": round(one.score, 3),
        "convicts": one.convicts,
        "effect": one.effect.words if one.effect else "",
        "line": one.effect.line if one.effect else "",
        "shared_words": list(one.shared[:10]),
        "cleared": one.cleared,
    }


def _summary(params: CorrelateChanges, within: Reach, shown: list[dict[str, Any]], convicting: int) -> str:
    if not shown:
        return f"No change in {within.words()}; {within.span()}{within.notes()}"
    if not convicting:
        return f"None of the changes of the 24 hours before fits a fault of {params.service} well{within.notes()}"
    first = shown[0]
    did = first["effect"] or f"“{first['title'][:120]}”"
    when = f"live {first['minutes_before']:g} min before the onset"
    more = f"; {convicting - 1} more could have done it" if convicting > 1 else ""
    return f"{first['kind']} {first['id'][:12]}, {when}: {did}{more}{within.notes()}"


TOOL = Tool(
    name="correlate_changes",
    summary="Which change could have produced a fault of this service: ranked by reach, time before the onset, what "
    "its diff can do, and words it shares with the symptom; and why the others could not.",
    params=CorrelateChanges,
    risk=Risk.READ,
    run=run,
    needs=("changes",),
)

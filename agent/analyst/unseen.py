"""What could not be checked, why, and what would decide. Reads the transcript; asks nothing."""

from __future__ import annotations

from agent.analyst.casefile import Casefile
from agent.analyst.explanation import Assessment
from agent.analyst.rivals import rivals
from agent.analyst.wording import shorten
from tools.generate_report import NotChecked

_KINDS = {
    "metrics": ("how much anything is used or how slow it is", "metrics of the services named here"),
    "logs": ("what the services wrote", "the logs around the onset"),
    "traces": ("which call fails deepest", "traces, or a topology.csv with caller and callee"),
    "changes": ("what was deployed or switched", "deploys, commits and flags of the last day"),
}


def not_checked(assessed: Assessment) -> list[NotChecked]:
    case = assessed.case
    entries = [*_missing_sources(case), *_failed_calls(case), *_open_rivals(assessed), *_undone_proof(assessed)]
    return entries[:8]


def _missing_sources(case: Casefile) -> list[NotChecked]:
    present = {source.kind for source in case.transcript.sources if not source.problem}
    said = [
        NotChecked(what=what, why=f"no source of {kind} is set", would_decide=decides)
        for kind, (what, decides) in _KINDS.items() if kind not in present
    ]  # fmt: skip
    broken = [source for source in case.transcript.sources if source.problem]
    return said + [
        NotChecked(what=f"{source.kind} of {source.name}", why=shorten(source.problem, 200)) for source in broken
    ]


def _failed_calls(case: Casefile) -> list[NotChecked]:
    failed = [row for row in case.results if row.status in ("error", "refused") and row.tool != "create_ticket"]
    return [NotChecked(what=f"{row.tool} {row.request_id}", why=shorten(row.summary, 200)) for row in failed[:3]]


def _open_rivals(assessed: Assessment) -> list[NotChecked]:
    return [
        NotChecked(what=rival.statement, why=rival.why, would_decide="a rollback of it alone")
        for rival in rivals(assessed)
        if rival.is_open
    ]


def _undone_proof(assessed: Assessment) -> list[NotChecked]:
    best = assessed.best
    if best is None:
        return []
    if best.suspect:
        return [NotChecked(
            what=f"{best.entity} under this load without the change", why="nobody has undone it yet",
            would_decide="the symptom goes within minutes of undoing it",
        )]  # fmt: skip
    if best.circumstance:
        return [
            NotChecked(
                what=f"the state of {best.entity} itself",
                why="no source shows it from inside",
                would_decide=f"the owner of {best.entity}",
            )
        ]
    return [
        NotChecked(
            what=f"what set {best.entity} off",
            why="no change or event in the sources fits",
            would_decide="changes, host metrics and traffic of the hour before",
        )
    ]

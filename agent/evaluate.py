"""Judges a run after each cycle: budget, loops, claims settled, stop or go on. Pure; it costs no model call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.grounding import Exhibit, check_claims
from agent.headline import invented_change, known_change, stray_numbers
from agent.outcome import label
from agent.planner import Hypothesis
from tools.generate_report import Claim, NotChecked, Report, RootCause, Ruled

SAME_CALL_LIMIT = 3  # the identical call a third time is a loop
IDLE_CYCLES = 4  # cycles in a row that brought no evidence
ERRORS_IN_A_ROW = 5


@dataclass(frozen=True, slots=True)
class PastCall:
    """A call of the run, as the loop detector sees it."""

    cycle: int
    fingerprint: str  # tool and canonical arguments
    status: str


def loop_found(calls: Sequence[PastCall]) -> str:
    """Why the run goes in circles, in words; empty when it does not."""
    counts = Counter(call.fingerprint for call in calls)
    if counts and max(counts.values()) >= SAME_CALL_LIMIT:
        return "the same call was repeated"
    if len(calls) >= ERRORS_IN_A_ROW and all(call.status == "error" for call in calls[-ERRORS_IN_A_ROW:]):
        return f"{ERRORS_IN_A_ROW} calls in a row failed"
    recent = sorted({call.cycle for call in calls})[-IDLE_CYCLES:]
    found = {call.cycle for call in calls if call.status in ("success", "truncated", "no_data")}
    if len(recent) == IDLE_CYCLES and not found & set(recent):
        return f"{IDLE_CYCLES} cycles brought no evidence"
    return ""


def settle(
    report: Report, exhibits: Mapping[str, Exhibit], as_of: datetime, *, stopped_by: str = "", partial: bool = False
) -> dict[str, Any]:
    """The report as it is stored: claims checked, the outcome computed, what did not hold set apart."""
    blamed = (report.root_cause and report.root_cause.change_id) or ""
    change = known_change(blamed, exhibits) if blamed else ""
    checked = check_claims(report.claims, exhibits)
    checked += stray_numbers(report, checked, exhibits) + ([invented_change(blamed)] if blamed and not change else [])
    held = [claim for claim in checked if claim.holds]
    verdict = label(report, checked, exhibits, as_of)
    stored = _known_evidence_only(report.model_dump(mode="json"), exhibits)
    if blamed:
        stored["root_cause"]["change_id"] = change or None
    return {
        **stored,
        "partial": partial,
        "outcome": verdict.outcome,
        "why_label": {"met": verdict.met, "unmet": verdict.unmet},
        "checked": {"held": len(held), "total": len(checked)},
        "claims": [claim.as_json() for claim in held],
        "did_not_hold": [claim.as_json() for claim in checked if not claim.holds],
        "stopped_by": stopped_by,
    }


def problems(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a settled report's conclusion got wrong: claim id and why."""
    return [(claim["id"], claim["detail"]) for claim in report["did_not_hold"]]


def _known_evidence_only(report: dict[str, Any], exhibits: Mapping[str, Exhibit]) -> dict[str, Any]:
    for part in ("suspects", "ruled_out", "timeline"):
        for entry in report[part]:
            entry["evidence"] = [name for name in entry["evidence"] if name in exhibits]
    return report


def report_so_far(hypotheses: Sequence[Hypothesis], answer: str, why_stopped: str = "") -> Report:
    """A partial report from what the planner holds true now: its leading hypothesis, and what it has ruled out."""
    supported = next((h for h in hypotheses if h.status == "supported"), None)
    facts = _renumbered(supported.facts if supported else [f for h in hypotheses for f in h.facts])
    cause = (
        RootCause(entity=_entity(supported), kind="hypothesis", mechanism=supported.statement[:600])
        if supported
        else None
    )
    open_questions = [
        NotChecked(what=h.statement, why=why_stopped or "still open") for h in hypotheses if h.status == "open"
    ]
    return Report(
        verdict="cause" if cause else "cannot_tell",
        summary=(answer or (supported.statement if supported else "Nothing is established yet."))[:400],
        root_cause=cause,
        onset=supported.began if supported else "",
        claims=facts,
        ruled_out=[
            Ruled(statement=h.statement, why=h.why or "the evidence speaks against it", evidence=_named(h.facts))
            for h in hypotheses if h.status == "refuted"
        ],
        not_checked=open_questions[:20],
    )  # fmt: skip


def _entity(hypothesis: Hypothesis | None) -> str:
    return (hypothesis.entity or "unknown") if hypothesis else "unknown"


def _named(facts: Sequence[Claim]) -> list[str]:
    return sorted({fact.evidence for fact in facts if fact.evidence}, key=_in_order)


def _in_order(name: str) -> list[int]:
    """E2 before E10, and a sub-run's, S1.E2, behind all of one's own."""
    return [int(part[1:]) for part in name.split(".")][::-1] if "." not in name else [10**6, *_numbers(name)]


def _numbers(name: str) -> list[int]:
    return [int(part[1:]) for part in name.split(".")]


def _renumbered(facts: Sequence[Claim]) -> list[Claim]:
    """Facts of several hypotheses share a report: C1, C2, … in order; inferences, whose bases may be gone, stay out."""
    direct = [fact for fact in facts if fact.kind != "inference"][:60]
    return [fact.model_copy(update={"id": f"C{number}"}) for number, fact in enumerate(direct, 1)]


def checked_facts(hypotheses: Sequence[Hypothesis], exhibits: Mapping[str, Exhibit]) -> list[dict[str, Any]]:
    """Hypotheses as they are stored and shown, each fact with its verdict."""
    return [
        {
            "id": h.id, "statement": h.statement, "status": h.status, "why": h.why, "entity": h.entity,
            "began": h.began,
            "facts": [fact.as_json() for fact in check_claims(h.facts, exhibits)],
        }
        for h in hypotheses
    ]  # fmt: skip

"""Which question comes next, and the calls that answer it. Each cycle has one question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import re2

from agent.analyst.casefile import Casefile, alert_text, moment
from agent.analyst.explanation import Assessment
from agent.analyst.outbreaks import Outbreak
from agent.analyst.rivals import louder_elsewhere
from agent.analyst.wording import clock, iso, names
from agent.planner import ToolDescription, ToolRequest, Transcript

WIDEST = timedelta(hours=24)
MAX_STEPS = 700  # points of one series in the first look
_RANGE = re2.compile(r"(?i)\b(?:last|past|previous)\s+(\d+)?\s*(minute|min|hour|day)s?\b")
_FIXED = re2.compile(r"<[^>]*>")
_SPECIAL = frozenset("\\.+*?()|[]{}^$")  # of RE2; escaping more would only make the query hard to read
_IN_GOAL = {"minute": 1, "min": 1, "hour": 60, "day": 1440}


Call = tuple[str, str, dict[str, Any]]  # name of the request, tool, arguments


@dataclass(frozen=True, slots=True)
class Question:
    rationale: str
    requests: tuple[ToolRequest, ...]


def first_look(transcript: Transcript, tools: Sequence[ToolDescription]) -> Question:
    """Everything that moves, every error, every change, every call: wide and cheap."""
    since = start_of(transcript)
    wanted: list[Call] = [
        ("metrics", "query_metrics", {"since": since, "step_s": _step_s(transcript, since)}),
        ("errors", "search_logs", {"level": "ERROR", "since": since, "limit": 5}),
        ("warnings", "search_logs", {"level": "WARN", "since": since, "limit": 5}),
        ("changes", "list_changes", {"since": ""}),
        ("calls", "query_traces", {"since": since, "limit": 5}),
        ("ranking", "rank_suspects", _alerting(transcript)),
    ]
    return Question("What changed its behaviour, and when?", _offered(wanted, tools))


def _alerting(transcript: Transcript) -> dict[str, Any]:
    return {key: alert_text(transcript.alert, key)[:200] for key in ("service", "metric")}


def closer_look(assessed: Assessment, tools: Sequence[ToolDescription]) -> Question:
    """The service that moved first, beside what it depends on, before and after the onset."""
    found, case = assessed.found, assessed.case
    onset = found.onset
    assert onset is not None  # noqa: S101  asked only of a fault
    entity = assessed.best.entity if assessed.best and assessed.best.entity in found.services else found.leader
    since, before = start_of(case.transcript), iso(onset - timedelta(minutes=5))
    wanted: list[Call] = [
        ("lead-metrics", "query_metrics", {"service": entity, "since": since}),
        ("lead-lines", "search_logs", {"service": entity, "level": "WARN", "since": since, "limit": 10}),
        ("failures", "query_traces", {"errors_only": True, "since": before, "limit": 40}),
    ]
    callees = sorted(case.graph.callees.get(entity, frozenset()))[:2]
    wanted += [
        (f"callee-{place}", "query_metrics", {"service": name, "since": since}) for place, name in enumerate(callees)
    ]
    if (line := loudest(assessed, entity)) and (pattern := pattern_of(line)):
        until = iso(min(onset, line.kind.first_at) - timedelta(seconds=1))
        args = {"pattern": pattern, "ignore_case": False, "since": since, "until": until, "limit": 0}
        wanted.append(("not-before", "search_logs", args))
    beside = f" or in {names(callees)}, which it calls" if callees else ""
    return Question(
        f"{entity} moved first, at {clock(onset)}: does the fault lie in it{beside}?", _offered(wanted, tools)
    )


def cross_check(assessed: Assessment, tools: Sequence[ToolDescription]) -> Question | None:
    """What else was loud, and does it go on: the facts that could still speak for another cause."""
    found, case = assessed.found, assessed.case
    assert found.onset is not None  # noqa: S101
    onset = iso(found.onset)
    wanted: list[Call] = [
        (f"noise-{place}", "search_logs", {"service": name, "level": "ERROR", "since": onset, "limit": 1})
        for place, name in enumerate(louder_elsewhere(assessed)[:2])
    ]
    entity = assessed.best.entity if assessed.best else found.leader
    if (line := loudest(assessed, entity)) and (pattern := pattern_of(line)):
        recent = iso(case.as_of - timedelta(minutes=10))
        wanted.append(("still", "search_logs", {"pattern": pattern, "ignore_case": False, "since": recent, "limit": 3}))
    requests = _offered(wanted, tools)
    return Question("Was anything else as loud before, and is it still going on?", requests) if requests else None


def quiet_look(case: Casefile, tools: Sequence[ToolDescription]) -> Question:
    """Nothing departed: look once more at what the alert watches, more finely, and at the newest errors."""
    alert, since = case.transcript.alert, start_of(case.transcript)
    service, metric = alert_text(alert, "service"), alert_text(alert, "metric")
    recent = iso((case.transcript.focus or case.as_of) - timedelta(minutes=30))
    wanted: list[Call] = [
        ("alert-metric", "query_metrics", {"service": service, "name": metric or "*", "since": since}),
        ("recent-errors", "search_logs", {"level": "ERROR", "since": recent, "limit": 5}),
        ("failures", "query_traces", {"errors_only": True, "since": recent, "limit": 20}),
    ]
    if not service:
        wanted = wanted[1:]
    return Question(
        "Nothing departed so far: did what the alert watches do anything it does not usually do?",
        _offered(wanted, tools),
    )


def start_of(transcript: Transcript) -> str:
    """Where reading begins: twice the range that the goal names, so that there is a quiet part; at most a day.

    Empty, for all that there is, only where each source says how far back it reaches. A service does not; beside it
    reading begins where the others do, or two hours before the end.
    """
    reaches = [source.oldest for source in transcript.sources if source.newest and source.kind != "changes"]
    oldest = min((one for one in reaches if one), default=None)
    match = _RANGE.search(transcript.goal)
    asked = timedelta(minutes=2 * int(match[1] or 1) * _IN_GOAL[match[2].lower()]) if match else WIDEST
    end = transcript.focus or transcript.as_of
    latest = end - timedelta(hours=2)
    earliest = min(transcript.as_of - asked, latest)
    if oldest is None or oldest < earliest:
        return iso(earliest)
    return "" if all(reaches) else iso(min(oldest, latest))


def _step_s(transcript: Transcript, since: str) -> int:
    oldest = min(
        (source.oldest for source in transcript.sources if source.oldest and source.kind == "metrics"), default=None
    )
    begin = moment(since) if since else oldest
    if begin is None:
        return 60
    minutes = (transcript.as_of - begin).total_seconds() / 60
    return next((step for step in (60, 120, 300, 600, 1800, 3600) if minutes * 60 / step <= MAX_STEPS), 3600)


def loudest(assessed: Assessment, service: str) -> Outbreak | None:
    """The new kind of line that speaks most for the fault: the service's own, most frequent first."""
    circumstance = assessed.best.circumstance if assessed.best else None
    if circumstance and circumstance.outbreaks:
        return circumstance.outbreaks[0]
    lines = assessed.found.outbreaks_of(service) or list(assessed.found.outbreaks)
    return next((one for one in lines if one.is_own), lines[0] if lines else None)


def pattern_of(line: Outbreak) -> str:
    """A search for lines of that kind: the longest part of the template that never varies."""
    parts = [part.strip() for part in _FIXED.split(line.kind.template)]
    longest = max(parts, key=len, default="")[:120].strip()
    return "".join(f"\\{char}" if char in _SPECIAL else char for char in longest) if len(longest) >= 8 else ""


def _offered(wanted: Sequence[Call], tools: Sequence[ToolDescription]) -> tuple[ToolRequest, ...]:
    known = {tool.name for tool in tools}
    return tuple(ToolRequest(name, tool, dict(args)) for name, tool, args in wanted if tool in known)

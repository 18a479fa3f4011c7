"""The changes of a case, judged against its fault. Builds what tools.analysis.blame needs, and reads its answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import re2

from agent.analyst.casefile import Casefile, ChangeRecord, alert_text
from agent.analyst.triage import Triage
from tools.analysis.blame import Candidate, Fault, Judged, judge
from tools.analysis.reach import is_named_by
from tools.analysis.terms import terms

_SOURCE_FILE = re2.compile(r"([\w\-]+\.(?:go|py|java|kt|ts|js|rb|rs|cpp|cc|cs|php|scala|ex|sql|ya?ml))\b")
RECENT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Suspect:
    """A change with its verdict; `deploy` is the record that carried the commit, where there is one."""

    change: ChangeRecord
    judged: Judged
    deploy: ChangeRecord | None = None


def judge_changes(case: Casefile, found: Triage) -> list[Suspect]:
    """Every deploy, commit and flag, the likeliest culprit first. Provider entries are judged in circumstances.py."""
    if found.onset is None:
        return []
    records = {change.id: change for change in case.changes}
    carried = _carriers(case.changes)
    candidates = [
        Candidate(
            id=change.id,
            kind=change.kind,
            service=change.service,
            live_at=_live_at(change, carried, case.changes, found),
            title=change.title,
            files=change.files,
            diff=change.diff,
        )
        for change in case.changes
        if change.kind != "status" and not (change.kind == "deploy" and change.commit in records)
    ]
    judged = judge(candidates, fault_of(case, found), case.services)
    return [Suspect(records[one.candidate.id], one, carried.get(records[one.candidate.id].commit)) for one in judged]


def _carriers(changes: Iterable[ChangeRecord]) -> dict[str, ChangeRecord]:
    """The first deploy of each commit."""
    found: dict[str, ChangeRecord] = {}
    for change in changes:
        if change.kind == "deploy" and change.commit:
            found.setdefault(change.commit, change)
    return found


def _live_at(
    change: ChangeRecord, carried: dict[str, ChangeRecord], changes: Sequence[ChangeRecord], found: Triage
) -> datetime | None:
    """A commit is live with its deploy, else with the next deploy of a service it touches; None if that never came."""
    if change.kind != "commit":
        return change.at
    if change.commit in carried:
        return carried[change.commit].at
    touched = _deployed_after(change, changes, found)
    if touched:
        return touched[0].at
    return None if _is_deployed_on_record(change, changes) else change.at


def _deployed_after(change: ChangeRecord, changes: Sequence[ChangeRecord], found: Triage) -> list[ChangeRecord]:
    deploys = [other for other in changes if other.kind == "deploy" and other.at >= change.at]
    named = [deploy for deploy in deploys if any(is_named_by(deploy.service, path) for path in change.files)]
    if named or change.service:
        return named or [deploy for deploy in deploys if deploy.service == change.service]
    return [deploy for deploy in deploys if deploy.service in found.services]


def _is_deployed_on_record(change: ChangeRecord, changes: Sequence[ChangeRecord]) -> bool:
    """Whether deploys are recorded for what the commit touches: then a missing one means that it is not live."""
    deploys = [other for other in changes if other.kind == "deploy"]
    named = [deploy for deploy in deploys if any(is_named_by(deploy.service, path) for path in change.files)]
    return bool(named) or len({deploy.service for deploy in deploys}) >= 2


def fault_of(case: Casefile, found: Triage) -> Fault:
    assert found.onset is not None  # noqa: S101  callers ask only about a fault
    top = found.ranked[0][1] if found.ranked else 1.0
    felt = {name: max(share / top, 0.35) for name, share in found.ranked}
    onsets: dict[str, list[datetime]] = defaultdict(list)
    for one in found.moved:
        if one.strength >= 0.3:
            onsets[one.service].append(one.onset)
    for outbreak in found.outbreaks:
        onsets[outbreak.service].append(outbreak.kind.first_at)
    step = max((one.track.step_s for one in found.moved), default=60.0)
    return Fault(
        words=fault_words(case, found),
        files=frozenset(_files_named(found)),
        services=felt,
        onsets=dict(onsets),
        first=found.onset,
        slack=timedelta(seconds=step + 30),
    )


def fault_words(case: Casefile, found: Triage) -> dict[str, float]:
    """The stems in which the fault speaks, with weights: the leader's own lines most, complaints about others least."""
    names = {stem for service in case.services for stem in terms(service)}
    weighted: dict[str, float] = {}
    lead = set(found.services[:2])

    def take(text: str, weight: float) -> None:
        for stem in terms(text):
            if stem not in names:
                weighted[stem] = max(weighted.get(stem, 0.0), weight)

    for outbreak in found.outbreaks:
        own = 1.0 if outbreak.is_own else 0.4
        take(outbreak.kind.example, own if outbreak.service in lead else 0.6 * own)
    for one in found.moved:
        take(one.track.name, (0.9 if one.service in lead else 0.5) * min(1.0, one.strength + 0.3))
    for failure in found.failures:
        take(failure.error, 0.7 if failure.service in lead else 0.4)
    for key in ("summary", "metric", "monitor"):
        take(alert_text(case.transcript.alert, key), 0.4)
    return weighted


def _files_named(found: Triage) -> Iterable[str]:
    """Source files that stack traces and errors name."""
    for outbreak in found.outbreaks:
        yield from _SOURCE_FILE.findall(outbreak.kind.example)
    for failure in found.failures:
        yield from _SOURCE_FILE.findall(failure.error)

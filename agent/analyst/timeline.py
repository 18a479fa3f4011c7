"""The incident in order of time: changes, first departures, first lines, the alert."""

from __future__ import annotations

from datetime import datetime, timedelta

from agent.analyst.explanation import Assessment
from agent.analyst.wording import capital, change_words, iso, label, normal_words, shorten
from tools.generate_report import Moment

NEAR = timedelta(minutes=30)
MOST = 20


def timeline(assessed: Assessment) -> list[Moment]:
    found, best = assessed.found, assessed.best
    assert found.onset is not None  # noqa: S101
    moments: list[tuple[datetime, str, str]] = []
    if best and best.suspect:
        suspect = best.suspect
        did = suspect.judged.effect.words if suspect.judged.effect else shorten(suspect.change.title, 80)
        live = suspect.judged.candidate.live_at or suspect.change.at
        moments.append(
            (live, capital(f"{change_words(suspect.change, suspect.deploy)}: {did}"), suspect.change.evidence)
        )
    for one in assessed.suspects:
        near = abs(one.change.at - found.onset) <= NEAR
        if near and (one.deploy or one.change.kind == "flag") and not (best and one is best.suspect):
            at = one.judged.candidate.live_at or one.change.at
            moments.append((at, capital(f"{change_words(one.change, one.deploy)} (not related)"), one.change.evidence))
    seen: set[str] = set()
    for moved in found.moved:
        if moved.service not in seen and moved.strength >= 0.3:
            seen.add(moved.service)
            words = f"{label(moved)} leaves its normal range ({normal_words(moved.track.name, moved.departure.normal)})"
            moments.append((moved.onset, words, moved.track.evidence))
    for outbreak in sorted(found.outbreaks, key=lambda one: one.kind.first_at)[:3]:
        moments.append(
            (
                outbreak.kind.first_at,
                f"{outbreak.service} first writes “{shorten(outbreak.kind.example, 90)}”",
                outbreak.kind.evidence,
            )
        )
    if assessed.case.transcript.focus:
        moments.append((assessed.case.transcript.focus, "The alert fires", ""))
    moments.sort(key=lambda entry: entry[0])
    return [
        Moment(at=iso(at), text=text, evidence=[evidence] if evidence else []) for at, text, evidence in moments[:MOST]
    ]

"""What shows that nothing is wrong: the alerted value was usual, errors are as frequent as ever, sources are fresh."""

from __future__ import annotations

import numpy as np

from agent.analyst.casefile import Casefile, Track
from agent.analyst.facts import Fact, latest_fact
from agent.analyst.moved import alert_track, best_tracks
from agent.analyst.wording import amount, clock, names, normal_words, unit_of
from tools.analysis.anomalies import normal_of
from tools.analysis.metric_words import SYMPTOMS, kind_of
from tools.generate_report import Ruled

MOST_TRACKS = 4


def healthy_facts(case: Casefile) -> list[Fact]:
    facts = _alert_facts(case)
    felt = [track for track in best_tracks(case) if kind_of(track.name) in SYMPTOMS and len(track.values) >= 2]
    felt.sort(key=lambda track: (kind_of(track.name) != "error", track.id))
    facts += [latest_fact(track, normal_of(track.values, track.values), "healthy") for track in felt[:MOST_TRACKS]]
    return facts + _log_facts(case)


def _alert_facts(case: Casefile) -> list[Fact]:
    """The value at the alert, and an earlier one as high while nobody was paged."""
    track, focus = alert_track(case), case.transcript.focus
    if track is None or focus is None:
        return []
    place = track.index_at(focus)
    normal = normal_of(track.values, track.values)
    value = float(track.values[place])
    usual = f"{clock(track.at(place))}; {normal_words(track.name, normal)}"
    words = f"{track.name} of {track.service} is {amount(track.name, value)} at the alert ({usual})"
    facts = [_number(track, place, words)]
    earlier = _as_high_before(track, place)
    if earlier is not None:
        before = amount(track.name, float(track.values[earlier]))
        again = f"It was {before} at {clock(track.at(earlier))} already, with no fault"
        facts.append(_number(track, earlier, again))
    return facts


def _as_high_before(track: Track, place: int) -> int | None:
    """The highest point well before the alert, if it comes near the alerted value."""
    until = max(0, place - max(10, len(track.values) // 20))
    if until < 1:
        return None
    highest = int(np.argmax(track.values[:until]))
    return highest if track.values[highest] >= 0.93 * track.values[place] else None


def _number(track: Track, place: int, statement: str) -> Fact:
    return Fact(
        statement, "number", "healthy", track.evidence, figure=track.id, value=float(track.values[place]),
        unit=unit_of(track.name), at=track.times[place],
    )  # fmt: skip


def _log_facts(case: Casefile) -> list[Fact]:
    row = case.answer_to("recent-errors")
    if row is None or not row.evidence or row.status not in ("success", "no_data"):
        return []
    since = "since shortly before the alert" if case.transcript.focus else "in the last 30 minutes"
    total, before = int(row.figures.get("total", 0)), int(row.figures.get("before", 0))
    if total == 0:
        return [
            Fact(f"No error was logged {since}", "absence", "healthy", row.evidence, figure="total"),
        ]
    words = f"{total:,} errors were logged {since}, {before:,} in the same time before that"
    return [Fact(words, "number", "healthy", row.evidence, figure="total", value=float(total))]


def healthy_reasons(case: Casefile) -> list[Ruled]:
    """What was looked at and found unchanged."""
    metrics, logs, changes = (case.of_tool(tool) for tool in ("query_metrics", "search_logs", "list_changes"))
    said: list[Ruled] = []
    if case.tracks:
        count = len({track.id for track in case.tracks})
        said.append(
            Ruled(
                statement="A service that fails or slows down",
                why=f"none of {count} series left its own normal range for long",
                evidence=[metrics[0].evidence],
            )
        )
    if case.lines:
        said.append(
            Ruled(
                statement="A new kind of error",
                why="every kind of error line was written earlier too",
                evidence=[logs[0].evidence],
            )
        )
    recent = [change for change in case.changes if change.kind in ("deploy", "flag")][-2:]
    if recent and changes:
        titles = names([change.title for change in recent], 2)
        said.append(
            Ruled(statement="A recent change", why=f"nothing departed after {titles}", evidence=[changes[0].evidence])
        )
    return said

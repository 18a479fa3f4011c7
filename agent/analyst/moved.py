"""Series that left their normal range: which ones, how far, and whether that is bad news."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from agent.analyst.casefile import Casefile, Track, alert_text
from tools.analysis.anomalies import Departure, find_departure
from tools.analysis.metric_words import Signal, is_worse, kind_of

STRONG_Z = 12.0
MIN_RATIO = 1.15
_WEIGHT: dict[Signal, float] = {
    "error": 1.0,
    "availability": 1.0,
    "efficiency": 0.9,
    "saturation": 0.9,
    "latency": 0.8,
    "other": 0.5,
    "traffic": 0.3,
}


@dataclass(frozen=True, slots=True)
class Moved:
    """A series that left its normal range."""

    track: Track
    departure: Departure
    kind: Signal

    @property
    def service(self) -> str:
        return self.track.service

    @property
    def onset(self) -> datetime:
        return self.track.at(self.departure.onset)

    @property
    def is_strong(self) -> bool:
        return self.departure.z >= STRONG_Z and self.departure.ratio >= 1.3

    @property
    def strength(self) -> float:
        """0 to about 1: how far out, tempered by how much that is in practice."""
        far = min(1.0, math.log10(max(self.departure.z, 1.0)) / 2)
        much = min(1.0, 0.2 + (self.departure.ratio - 1))
        relief = 0.3 if self.departure.direction == "down" and self.kind in ("saturation", "traffic", "other") else 1.0
        return far * much * _WEIGHT[self.kind] * relief


def find_moved(case: Casefile) -> list[Moved]:
    found = []
    for track in best_tracks(case):
        departure = find_departure(track.values)
        if departure is None or departure.ratio < MIN_RATIO or not is_worse(track.name, departure.direction):
            continue
        found.append(Moved(track, departure, kind_of(track.name)))
    return sorted(found, key=lambda one: (one.onset, -one.strength))


def best_tracks(case: Casefile) -> list[Track]:
    """Each series once, at its finest step."""
    best: dict[str, Track] = {}
    for track in case.tracks:
        kept = best.get(track.id)
        if kept is None or (track.step_s, -len(track.times)) < (kept.step_s, -len(kept.times)):
            best[track.id] = track
    return list(best.values())


def alert_track(case: Casefile) -> Track | None:
    """The series that the alert watches."""
    alert = case.transcript.alert
    service, metric = alert_text(alert, "service"), alert_text(alert, "metric")
    return next((track for track in best_tracks(case) if track.service == service and track.name == metric), None)

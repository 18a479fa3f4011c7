"""Everything the transcript holds, read into values the analysis works on. Judges nothing and asks nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from agent.planner import Move, Planned, Returned, SentBack, Transcript
from tools.analysis.callgraph import CallGraph
from tools.analysis.changepoints import Values

USABLE = ("success", "truncated")


@dataclass(frozen=True, slots=True)
class Track:
    """One series as a result holds it."""

    evidence: str
    id: str
    name: str
    service: str
    times: tuple[str, ...]  # ISO, as in the evidence: claims cite them
    values: Values
    step_s: float

    def at(self, index: int) -> datetime:
        return moment(self.times[index])

    def index_at(self, when: datetime) -> int:
        """The point at that time or the last one before it; the first where none is."""
        before = [index for index in range(len(self.times)) if self.at(index) <= when]
        return before[-1] if before else 0


@dataclass(frozen=True, slots=True)
class LineKind:
    """Lines of one template from one service, as a result counts them."""

    evidence: str
    service: str
    template: str
    example: str
    count: int
    first_at: datetime
    last_at: datetime
    level: str = ""  # the level that was asked for: these lines are that bad or worse


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """One entry of list_changes."""

    evidence: str
    id: str
    kind: str
    at: datetime
    service: str
    title: str
    version: str
    commit: str
    files: tuple[str, ...]
    diff: str
    text: str


@dataclass(frozen=True, slots=True)
class Failure:
    """The deepest failing span of a trace."""

    evidence: str
    service: str
    error: str
    at: datetime
    peer: str


@dataclass(frozen=True, slots=True)
class Stray:
    """A sign of rank_suspects: one channel in which a service is unlike its quiet time."""

    evidence: str
    service: str
    channel: str
    surprise: float
    words: str
    now: float
    usual: float
    unit: str


@dataclass(frozen=True, slots=True)
class RankedService:
    """A service as rank_suspects places it, its most surprising sign first."""

    service: str
    surprise: float
    is_convincing: bool
    signs: tuple[Stray, ...]


@dataclass(frozen=True, slots=True)
class Casefile:
    transcript: Transcript
    results: tuple[Returned, ...]
    tracks: tuple[Track, ...]
    lines: tuple[LineKind, ...]
    changes: tuple[ChangeRecord, ...]
    failures: tuple[Failure, ...]
    graph: CallGraph
    services: tuple[str, ...]
    ranking: tuple[RankedService, ...] = ()  # most suspicious first; empty where nothing could be compared
    ranked_since: datetime | None = None
    moves: tuple[Move, ...] = ()
    rejected: tuple[tuple[str, str], ...] = field(default=())  # claims that did not hold: id and why

    @property
    def as_of(self) -> datetime:
        return self.transcript.as_of

    @property
    def began(self) -> datetime:
        """The start of what was read."""
        starts = [track.at(0) for track in self.tracks if track.times]
        starts += [
            moment(row.query["since"]) for row in self.results if row.tool == "search_logs" and "since" in row.query
        ]
        return min(starts, default=self.as_of)

    @property
    def ended(self) -> datetime:
        """The newest moment that any row tells of; it may lie well before as-of."""
        ends = [track.at(len(track.times) - 1) for track in self.tracks if track.times]
        return max([*ends, *(kind.last_at for kind in self.lines)], default=self.as_of)

    def of_tool(self, tool: str) -> list[Returned]:
        return [row for row in self.results if row.tool == tool]

    def answer_to(self, request_id: str) -> Returned | None:
        return next((row for row in self.results if row.request_id == request_id), None)

    def has_asked(self, request_id: str) -> bool:
        return any(request.id == request_id for move in self.moves for request in move.requests)


def moment(text: str) -> datetime:
    """An ISO time as aware UTC."""
    at = datetime.fromisoformat(text)
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def read(transcript: Transcript) -> Casefile:
    """The transcript's results as values. A result that failed or was refused stays only in `results`."""
    results = tuple(item for item in transcript.items if isinstance(item, Returned))
    usable = [row for row in results if row.status in USABLE and row.evidence]
    tracks = tuple(track for row in usable if row.tool == "query_metrics" for track in _tracks(row))
    lines = tuple(kind for row in usable if row.tool == "search_logs" for kind in _lines(row))
    changes = _distinct(change for row in usable if row.tool == "list_changes" for change in _changes(row))
    traces = [row for row in usable if row.tool == "query_traces"]
    edges = [(edge["caller"], edge["callee"]) for row in traces for edge in row.data.get("edges", [])]
    graph = CallGraph.of(edges)
    ranked = next((row for row in reversed(usable) if row.tool == "rank_suspects"), None)
    return Casefile(
        transcript=transcript,
        results=results,
        tracks=tracks,
        lines=lines,
        changes=changes,
        failures=tuple(failure for row in traces for failure in _failures(row)),
        graph=graph,
        services=_services(transcript, tracks, lines, graph),
        ranking=tuple(_ranking(ranked)) if ranked else (),
        ranked_since=moment(ranked.data["since"]) if ranked else None,
        moves=tuple(item.move for item in transcript.items if isinstance(item, Planned)),
        rejected=tuple(pair for item in transcript.items if isinstance(item, SentBack) for pair in item.problems),
    )


def _tracks(row: Returned) -> Iterator[Track]:
    data = row.data
    for series in data.get("series", []):
        points = series["points"]
        yield Track(
            evidence=row.evidence,
            id=series["id"],
            name=series["name"],
            service=series["service"],
            times=tuple(point[0] for point in points),
            values=np.array([point[1] for point in points], dtype=np.float64),
            step_s=float(data.get("step_s", 60)),
        )


def _lines(row: Returned) -> Iterator[LineKind]:
    for entry in row.data.get("templates", []):
        yield LineKind(
            evidence=row.evidence,
            service=entry["service"],
            template=entry["template"],
            example=entry["example"],
            count=int(entry["count"]),
            first_at=moment(entry["first_at"]),
            last_at=moment(entry["last_at"]),
            level=str(row.query.get("level") or row.args.get("level") or ""),
        )


def _changes(row: Returned) -> Iterator[ChangeRecord]:
    for entry in row.data.get("changes", []):
        yield ChangeRecord(
            evidence=row.evidence,
            id=entry["id"],
            kind=entry["kind"],
            at=moment(entry["at"]),
            service=entry["service"],
            title=entry["title"],
            version=entry["version"],
            commit=entry["commit"],
            files=tuple(entry["files"]),
            diff=entry["diff"],
            text=entry["text"],
        )


def _distinct(changes: Iterable[ChangeRecord]) -> tuple[ChangeRecord, ...]:
    by_id: dict[str, ChangeRecord] = {}
    for change in changes:
        by_id.setdefault(change.id, change)
    return tuple(sorted(by_id.values(), key=lambda change: (change.at, change.id)))


def _failures(row: Returned) -> Iterator[Failure]:
    for entry in row.data.get("errors", []):
        yield Failure(row.evidence, entry["service"], entry["error"], moment(entry["at"]), entry.get("peer", ""))


def _ranking(row: Returned) -> Iterator[RankedService]:
    for entry in row.data.get("suspects", []):
        name = entry["service"]
        signs = tuple(
            Stray(row.evidence, name, sign["channel"], sign["surprise"], sign["words"], sign["now"], sign["usual"],
                  sign["unit"])
            for sign in entry["signs"]
        )  # fmt: skip
        yield RankedService(name, entry["surprise"], entry["is_convincing"], signs)


def _services(
    transcript: Transcript, tracks: Iterable[Track], lines: Iterable[LineKind], graph: CallGraph
) -> tuple[str, ...]:
    names: set[str] = {name for source in transcript.sources for name in source.services if source.kind != "changes"}
    names |= {track.service for track in tracks} | {kind.service for kind in lines} | set(graph.services)
    return tuple(sorted(names - {""}))


def alert_text(alert: dict[str, Any], key: str) -> str:
    """A field of the alert as text; alerts are what others wrote, so nothing is taken for granted."""
    value = alert.get(key)
    return value if isinstance(value, str) else ""

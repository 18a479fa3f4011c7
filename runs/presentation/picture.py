"""The picture of an incident: up to four lanes over one time axis, made from a run's Evidence. Pure; no HTML, no query.

A lane is drawn by the server as SVG paths and, with JavaScript, by uPlot from the same points.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from runs.presentation.display import reveal
from runs.presentation.formats import clock, is_share, moment, number, plural

WIDTH, HEIGHT = 1000, 100  # the viewBox of a lane; the page stretches it
MAX_POINTS = 600  # a lane wider than this is thinned, keeping each bucket's extremes
SERIES_LANES = 2
LANE_ROLES = (("symptom",), ("mechanism", "change"))  # what the first lane shows, and the second
Point = tuple[float, float]  # epoch seconds, value


@dataclass(frozen=True, slots=True)
class Lane:
    """One row of the picture. `kind` is line, bars or ticks; `note` is the sentence under it."""

    title: str
    kind: str
    points: tuple[Point, ...]
    unit: str
    note: str
    evidence: str
    labels: tuple[str, ...] = ()  # of ticks, one a point

    @property
    def top(self) -> float:
        return max((value for _, value in self.points), default=0.0)

    @property
    def bottom(self) -> float:
        """Axes start at zero: a lane must not make a ripple look like a wave."""
        return min(0.0, min((value for _, value in self.points), default=0.0))


@dataclass(frozen=True, slots=True)
class Picture:
    """All lanes, their common axis, and the incident's span (epoch seconds, None where no onset is known)."""

    lanes: tuple[Lane, ...]
    since: float
    until: float
    onset: float | None

    def x(self, at: float) -> float:
        """Place on the axis, 0 to WIDTH."""
        return round((at - self.since) / max(self.until - self.since, 1) * WIDTH, 1)

    def y(self, lane: Lane, value: float) -> float:
        return round(HEIGHT - 4 - (value - lane.bottom) / (lane.top - lane.bottom or 1) * (HEIGHT - 8), 1)

    def path(self, lane: Lane) -> str:
        """The `d` of a lane's SVG path."""
        if lane.kind == "line":
            return "M" + "L".join(f"{self.x(at)} {self.y(lane, value)}" for at, value in lane.points)
        if lane.kind == "bars":
            return "".join(f"M{self.x(at)} {HEIGHT}V{self.y(lane, value)}" for at, value in lane.points)
        return "".join(f"M{self.x(at)} 0V{HEIGHT}" for at, _ in lane.points)

    @property
    def band(self) -> tuple[float, float] | None:
        """Left edge and width of the shaded incident."""
        if self.onset is None or self.onset >= self.until:
            return None
        left = max(0.0, self.x(self.onset))
        return left, round(WIDTH - left, 1)

    def ticks(self, count: int = 5) -> list[datetime]:
        """Times along the axis, evenly spread."""
        step = (self.until - self.since) / (count - 1)
        return [datetime.fromtimestamp(self.since + place * step).astimezone() for place in range(count)]

    def as_json(self) -> dict[str, Any]:
        """What the page's script draws from."""
        lanes = [
            {"title": lane.title, "kind": lane.kind, "unit": lane.unit, "labels": [reveal(one) for one in lane.labels],
             "x": [at for at, _ in lane.points], "y": [value for _, value in lane.points]}
            for lane in self.lanes
        ]  # fmt: skip
        return {"since": self.since, "until": self.until, "onset": self.onset, "lanes": lanes}


@dataclass(frozen=True, slots=True)
class Shown:
    """What the picture needs of one Evidence: its name, the tool that made it, and its data."""

    name: str
    tool: str
    data: Mapping[str, Any]


def draw(evidence: Sequence[Shown], claims: Sequence[Mapping[str, Any]], onset: str, as_of: datetime) -> Picture | None:
    """The picture of what is known so far; None while nothing can be drawn.

    Cited series come first, then those that changed most. Errors a minute and changes take the last two lanes.
    """
    began = moment(onset)
    lanes = list(_series_lanes(evidence, claims, began))[:SERIES_LANES]
    lanes += [lane for lane in (_errors_lane(evidence, began), _changes_lane(evidence)) if lane]
    drawn = [lane for lane in lanes if lane.kind != "ticks"]
    if not drawn:
        return None
    since, until = _span(drawn, began, as_of)
    kept = [_within(lane, since, until) for lane in lanes]
    shown = tuple(lane for lane in kept if lane.points)
    return Picture(shown, since, until, began.timestamp() if began else None)


def _span(lanes: Iterable[Lane], onset: datetime | None, as_of: datetime) -> tuple[float, float]:
    """From before the onset (as long as the incident lasts, an hour at least) to as-of, within what there is."""
    first = min(lane.points[0][0] for lane in lanes)
    until = as_of.timestamp()
    if onset is None:
        return min(first, until - 60), until
    lead = max(as_of - onset, timedelta(hours=1)).total_seconds()
    return max(min(first, onset.timestamp() - 60), onset.timestamp() - lead), until


def _within(lane: Lane, since: float, until: float) -> Lane:
    kept = [(place, point) for place, point in enumerate(lane.points) if since <= point[0] <= until]
    points = tuple(_thinned([point for _, point in kept])) if lane.kind == "line" else tuple(p for _, p in kept)
    labels = tuple(lane.labels[place] for place, _ in kept) if lane.labels else ()
    return Lane(lane.title, lane.kind, points, lane.unit, lane.note, lane.evidence, labels)


def _thinned(points: list[Point]) -> Iterator[Point]:
    """Lowest and highest of each bucket, in time: a spike of one minute stays visible in a month."""
    if len(points) <= MAX_POINTS:
        yield from points
        return
    width = math.ceil(len(points) / (MAX_POINTS // 2))
    for start in range(0, len(points), width):
        bucket = points[start : start + width]
        extremes = {min(bucket, key=lambda point: point[1]), max(bucket, key=lambda point: point[1])}
        yield from sorted(extremes)


def _series_lanes(
    evidence: Iterable[Shown], claims: Sequence[Mapping[str, Any]], onset: datetime | None
) -> Iterator[Lane]:
    """One lane a series, best first. A series that two results hold is drawn from the one that is cited."""
    cited = _cited_in_order(claims)
    found: dict[str, tuple[tuple[int, float], Lane]] = {}
    for item in evidence:
        for series in item.data.get("series", []) if item.tool == "query_metrics" else []:
            points = _points(series.get("points", []))
            if len(points) < 2:
                continue
            rank = (_cited_place(cited, item.name, series["id"]), -_change(points, onset))
            if series["id"] not in found or rank < found[series["id"]][0]:
                found[series["id"]] = rank, _line(series, points, onset, item.name)
    yield from (lane for _, lane in sorted(found.values(), key=lambda pair: pair[0]))


def _line(series: Mapping[str, Any], points: tuple[Point, ...], onset: datetime | None, evidence: str) -> Lane:
    """The lane of one series; shares of one are shown as per cent, as the sentences beside it say them."""
    unit = series.get("unit", "")
    if not unit and is_share(series["id"], [value for _, value in points]):
        points, unit = tuple((at, value * 100) for at, value in points), "%"
    return Lane(series["id"], "line", points, unit, _note(unit, points, onset), evidence)


def _cited_in_order(claims: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Evidence and figure of the cited numbers: the first symptom, the first cause, then the rest as they stand.

    What it did to other services (scope) comes behind all that is said of the culprit itself.
    """
    numbers = [claim for claim in claims if claim.get("kind") == "number"]
    first = [next((claim for claim in numbers if claim.get("role") in roles), None) for roles in LANE_ROLES]
    rest = sorted(numbers, key=lambda claim: claim.get("role") == "scope")
    ordered = [claim for claim in first if claim is not None] + rest
    return [(claim.get("evidence", ""), claim.get("figure", "")) for claim in ordered]


def _cited_place(cited: list[tuple[str, str]], evidence: str, series: str) -> int:
    """The place of the first claim that rests on this series; behind all of them if none does."""
    for place, (name, figure) in enumerate(cited):
        if name == evidence and (figure == series or figure.startswith(f"{series} ")):
            return place
    return len(cited)


def _points(rows: Iterable[Sequence[Any]]) -> tuple[Point, ...]:
    pairs = ((moment(row[0]), row[1]) for row in rows)
    return tuple((at.timestamp(), float(value)) for at, value in pairs if at is not None and value is not None)


def _halves(points: Sequence[Point], onset: datetime | None) -> tuple[list[float], list[float]]:
    """The values before and since the onset; without one, all but the last tenth and that tenth."""
    if onset is None:
        cut = max(1, len(points) - max(1, len(points) // 10))
    else:
        cut = bisect_left(points, (onset.timestamp(), -math.inf))
    return [value for _, value in points[:cut]], [value for _, value in points[cut:]]


def _change(points: Sequence[Point], onset: datetime | None) -> float:
    """How far the median moved, in spreads of the time before (median absolute deviation, floored at 5 % of level)."""
    before, after = _halves(points, onset)
    if not before or not after:
        return 0.0
    centre = median(before)
    spread = median(abs(value - centre) for value in before)
    return abs(median(after) - centre) / max(spread, abs(centre) * 0.05, 1e-9)


def _note(unit: str, points: Sequence[Point], onset: datetime | None) -> str:
    """`5.02 s at the end; before 02:14 it was 0.17–0.2 s`."""
    before, _ = _halves(points, onset)
    unit = f" {unit}" if unit else ""
    last = f"{number(points[-1][1])}{unit} at the end"
    if onset is None or not before:
        return last
    ordered = sorted(before)
    low, high = ordered[len(ordered) // 20], ordered[-1 - len(ordered) // 20]
    usual = number(low) if low == high else f"{number(low)}–{number(high)}"
    return f"{last}; before {clock(onset)} it was {usual}{unit}"


def _errors_lane(evidence: Iterable[Shown], onset: datetime | None) -> Lane | None:
    """Matches a minute of the search that found most, read as lines a bucket."""
    searches = [item for item in evidence if item.tool == "search_logs" and item.data.get("per_minute")]
    if not searches:
        return None
    item = max(searches, key=lambda shown: shown.data.get("total", 0))
    points = _points(item.data["per_minute"])
    if not points:
        return None
    per = "minute" if item.data.get("bucket_s", 60) == 60 else f"{item.data['bucket_s'] // 60} min"
    earlier = sum(value for at, value in points if onset and at < onset.timestamp())
    note = plural(int(item.data.get("total", 0)), "matching line")
    note += f"; before {clock(onset)}: {number(earlier)}" if onset else ""
    return Lane(f"Log matches a {per}", "bars", points, "lines", note, item.name)


def _changes_lane(evidence: Iterable[Shown]) -> Lane | None:
    rows: dict[str, tuple[Point, str, str]] = {}
    for item in evidence:
        for change in item.data.get("changes", []) if item.tool == "list_changes" else []:
            at = moment(change.get("at"))
            if at is not None:
                words = change.get("title") or change.get("text") or change["id"]
                rows[change["id"]] = ((at.timestamp(), 1.0), f"{clock(at)} {words}", item.name)
    if not rows:
        return None
    ordered = sorted(rows.values())
    return Lane(
        "Changes", "ticks", tuple(point for point, _, _ in ordered), "", plural(len(ordered), "change"), ordered[0][2],
        tuple(label for _, label, _ in ordered),
    )  # fmt: skip

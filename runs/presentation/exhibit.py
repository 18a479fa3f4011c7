"""One Evidence as tables, lines and marked bytes: what its page shows of each kind of result. Pure; no HTML here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runs.models import Evidence
from runs.presentation.formats import clock, moment, number

ROWS_SHOWN = 200
CONTEXT = 160  # characters of the surrounding text on each side of a quote
LONG_COLUMNS = ("error", "trace_id")  # of spans: they take the whole width of a phone
AROUND = 6  # points on each side of a cited one


@dataclass(frozen=True, slots=True)
class Found:
    """Where a quote stands: the path in the data, and the text before and behind it."""

    path: str
    before: str
    quote: str
    behind: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text. `numbers` are the columns to align right, `long` those that take a phone's whole width.

    `marked` is the row a claim rests on.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    numbers: frozenset[int] = frozenset()
    marked: int = -1
    long: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class LogLine:
    at: str
    service: str
    level: str
    message: str
    where: str


@dataclass(frozen=True, slots=True)
class Change:
    at: str
    kind: str
    title: str
    service: str
    author: str
    text: str
    files: tuple[str, ...]
    diff: str


@dataclass
class Exhibit:
    """Everything the page shows of one Evidence."""

    found: Found | None = None
    tables: list[Table] = field(default_factory=list)
    lines: list[LogLine] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    raw: str = ""


def exhibit_of(evidence: Evidence, quote: str = "", figure: str = "", at: str = "") -> Exhibit:
    """The exhibit, with what a claim cites found and marked. Reads the stored body once."""
    data = evidence.data
    shown = Exhibit(found=find(data, quote) if quote else None)
    match evidence.call.tool:
        case "search_logs":
            _logs(shown, data)
        case "query_metrics":
            _metrics(shown, data, figure, at)
        case "list_changes":
            shown.changes = [_change(row) for row in data.get("changes", [])[:ROWS_SHOWN]]
        case "query_traces":
            _traces(shown, data)
        case _:
            shown.raw = json.dumps(data, indent=2, ensure_ascii=False)
    _figures(shown, evidence, figure)
    return shown


def find(value: Any, quote: str, path: str = "data") -> Found | None:
    """The first place where the quote stands verbatim, with a little of what is around it."""
    for where, text in _texts(value, path):
        start = text.find(quote)
        if start >= 0:
            end = start + len(quote)
            before = ("…" if start > CONTEXT else "") + text[max(0, start - CONTEXT) : start]
            return Found(where, before, quote, text[end : end + CONTEXT] + ("…" if len(text) > end + CONTEXT else ""))
    return None


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield path, value
        case Mapping():
            for name, item in value.items():
                yield from _texts(item, f"{path}.{name}")
        case list():
            for place, item in enumerate(value):
                yield from _texts(item, f"{path}[{place}]")


def _logs(shown: Exhibit, data: Mapping[str, Any]) -> None:
    templates = [
        (
            number(row["count"]),
            row.get("service", ""),
            row["template"],
            f"{clock(row['first_at'])}–{clock(row['last_at'])}",
        )
        for row in data.get("templates", [])
    ]
    if templates:
        shown.tables.append(
            Table(
                "Kinds of lines",
                ("count", "service", "template", "seen"),
                templates,
                frozenset({0}),
                long=frozenset({2}),
            )
        )
    patterns = [
        (number(row.get("count")), str(row.get("service", "")), str(row.get("signature", "")))
        for row in data.get("patterns", [])
    ]
    if patterns:
        columns = ("count", "service", "signature")
        shown.tables.append(Table("Counted signatures", columns, patterns, frozenset({0}), long=frozenset({2})))
    shown.lines = [
        LogLine(
            clock(row["at"], seconds=True),
            row.get("service", ""),
            row.get("level", ""),
            row["message"],
            row.get("where", ""),
        )
        for row in data.get("matches", [])[:ROWS_SHOWN]
    ]


def _metrics(shown: Exhibit, data: Mapping[str, Any], figure: str, at: str) -> None:
    series = data.get("series", [])
    names = ("min", "median", "max", "first", "last")
    rows = [(one["id"], one.get("unit", ""), *(number(one["stats"].get(name)) for name in names)) for one in series]
    if rows:
        cited = next((place for place, one in enumerate(series) if _is_cited(one["id"], figure)), -1)
        shown.tables.append(Table("Series", ("series", "unit", *names), rows, frozenset(range(2, 7)), cited))
        if cited >= 0 and at:
            shown.tables.append(_around(series[cited], at))
    if data.get("available"):
        shown.raw = json.dumps(data["available"], indent=2, ensure_ascii=False)


def _is_cited(series_id: str, figure: str) -> bool:
    return bool(figure) and (figure == series_id or figure.startswith(f"{series_id} "))


def _around(series: Mapping[str, Any], at: str) -> Table:
    """The points around the cited time, so that one sees the value among its neighbours."""
    points: Sequence[Sequence[Any]] = series.get("points", [])
    place = _place_of(points, at)
    first = max(0, place - AROUND)
    rows = [(clock(when, seconds=True), number(value)) for when, value in points[first : place + AROUND + 1]]
    title = f"{series['id']} around {clock(at)}"
    return Table(title, ("time", series.get("unit") or "value"), rows, frozenset({1}), place - first)


def _place_of(points: Sequence[Sequence[Any]], at: str) -> int:
    """The last point at or before that time: a point stands for the step that begins with it."""
    wanted = moment(at)
    times = [(place, moment(row[0])) for place, row in enumerate(points)]
    return max((place for place, when in times if wanted and when and when <= wanted), default=0)


def _change(row: Mapping[str, Any]) -> Change:
    return Change(
        clock(row.get("at"), seconds=True), row.get("kind", ""), row.get("title", ""), row.get("service", ""),
        row.get("author", ""), row.get("text", ""), tuple(row.get("files", [])), row.get("diff", ""),
    )  # fmt: skip


def _traces(shown: Exhibit, data: Mapping[str, Any]) -> None:
    for name, title, columns in (
        ("services", "Services", ("service", "spans", "errors", "p50_ms", "p99_ms", "self_p50_ms", "self_p99_ms")),
        ("edges", "Calls", ("caller", "callee", "calls", "errors", "p50_ms", "p99_ms")),
        ("errors", "Deepest failing spans", ("at", "service", "name", "error", "duration_ms", "trace_id")),
        ("slowest", "Slowest spans", ("at", "service", "name", "duration_ms", "trace_id")),
    ):
        rows = data.get(name, [])[:ROWS_SHOWN]
        if rows:
            cells = [tuple(_cell(column, row.get(column)) for column in columns) for row in rows]
            words = tuple(column.replace("_", " ") for column in columns)
            numbers = frozenset(place for place, column in enumerate(columns) if _is_number(rows[0].get(column)))
            long = frozenset(place for place, column in enumerate(columns) if column in LONG_COLUMNS)
            shown.tables.append(Table(title, words, cells, numbers, long=long))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _cell(column: str, value: Any) -> str:
    if column == "at":
        return clock(value, seconds=True)
    return number(value) if _is_number(value) else str(value or "")


def _figures(shown: Exhibit, evidence: Evidence, figure: str) -> None:
    """Named numbers that a claim may cite; a series' own statistics stand in its table already."""
    own = {
        name: value
        for name, value in evidence.figures.items()
        if evidence.call.tool != "query_metrics" or name == figure
    }
    if own:
        rows = [(name, number(value)) for name, value in own.items()][:ROWS_SHOWN]
        cited = next((place for place, name in enumerate(own) if name == figure), -1)
        shown.tables.append(Table("Figures", ("figure", "value"), rows, frozenset({1}), cited))

"""Reads one metrics table, CSV or Parquet, by DuckDB: the series that are asked for, or an outline of the whole.

Which file is read, and what is kept of it, is decided elsewhere.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
from numpy.typing import NDArray

from tools.sources.confined import Refused, Root
from tools.sources.metrics.columns import Columns, find_columns
from tools.sources.metrics.query import EVERYTHING, FOREVER_US, MetricQuery, Series
from tools.sources.timestamps import read_us

MAX_SERIES = 5_000
MAX_HEADER = 65_536
MAX_PAIRS = 10_000
MAX_CSV = 4 * 2**30  # is read whole, which has half a minute
GOOD = "epoch_us(moment) IS NOT NULL AND value IS NOT NULL AND isfinite(value)"
SETTINGS: dict[str, Any] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "threads": 2,
    "memory_limit": "512MB",
}


@dataclass(frozen=True, slots=True)
class Outline:
    """What a table holds: how many points, of what and when, and how many rows are none."""

    series: int = 0
    rows: int = 0
    skipped: int = 0
    names: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    oldest_us: int = FOREVER_US
    newest_us: int = -FOREVER_US


@dataclass(slots=True)
class Opened:
    """A file as DuckDB sees it. `rejects` counts lines that were no rows, once the rows were read."""

    connection: duckdb.DuckDBPyConnection
    file: str
    source: duckdb.DuckDBPyRelation
    zone: str = "UTC"
    columns: Columns = field(init=False)
    rejected: int = 0

    def __post_init__(self) -> None:
        self.columns = find_columns(self.file, self.source.columns)

    @property
    def stem(self) -> str:
        """The name of a metric that has none."""
        return self.file.rsplit("/", 1)[-1].rsplit(".", 1)[0]

    def rejects(self) -> int:
        if self.connection.sql("SELECT 1 FROM duckdb_tables() WHERE table_name = 'reject_errors'").fetchall():
            return _count(self.connection.table("reject_errors").project("line").distinct())
        return self.rejected


def read_series(root: Root, file: str, query: MetricQuery = EVERYTHING, zone: str = "UTC") -> list[Series]:
    """What the query wants and has a point in its range; no other point is built. Raises Refused in words."""
    with _opened(root, file, zone) as opened:
        long = _long(opened, query)
        return [] if long is None else _series(opened, _between(long.filter(GOOD), query), query)


def read_outline(root: Root, file: str, zone: str = "UTC") -> Outline:
    """Raises Refused in words."""
    with _opened(root, file, zone) as opened:
        long = _long(opened, EVERYTHING)
        return Outline() if long is None else _outline(opened, long)


def header_of(root: Root, file: str) -> list[str]:
    """The names of the columns, no row read. Raises Refused in words."""
    if file.lower().endswith(".parquet"):
        with _opened(root, file, "UTC") as opened:
            return list(opened.source.columns)
    with os.fdopen(root.open(file), encoding="utf-8-sig", errors="replace") as lines:
        return _header(lines.readline(MAX_HEADER))[0]


def pairs_in(root: Root, file: str, columns: tuple[str, str]) -> list[tuple[str, str]]:
    """The different values that two columns have together. Raises Refused in words."""
    with _opened(root, file, "UTC") as opened:
        pairs = opened.source.project(", ".join(_text(name) for name in columns)).distinct().limit(MAX_PAIRS)
        return [(str(one), str(other)) for one, other in pairs.fetchall()]


def _header(first: str) -> tuple[list[str], str]:
    """The columns that a file's first line names, and what parts them."""
    separator = max(",;\t|", key=first.count)
    return _distinct(next(csv.reader([first], delimiter=separator), [])), separator


@contextmanager
def _opened(root: Root, file: str, zone: str) -> Iterator[Opened]:
    descriptor = root.open(file)
    size, is_parquet = os.fstat(descriptor).st_size, file.lower().endswith(".parquet")
    if size > MAX_CSV and not is_parquet:
        os.close(descriptor)
        raise Refused(f"{file}: {size / 2**30:,.0f} GB of text, more than the {MAX_CSV // 2**30} GB; make it Parquet")
    path = f"/proc/self/fd/{descriptor}"  # by descriptor: what was checked is what is read
    try:
        with duckdb.connect(":memory:", config=SETTINGS) as connection:
            connection.execute(f"SET TimeZone = {_literal(zone)}")  # of times that name none
            if is_parquet:
                opened = Opened(connection, file, connection.read_parquet(path))
            else:
                opened = _read_csv(connection, file, path)
            opened.zone = zone
            yield opened
    except duckdb.Error as error:
        raise Refused(f"{file}: could not be read as a table ({str(error).splitlines()[0][:200]})") from None
    finally:
        os.close(descriptor)


def _long(opened: Opened, query: MetricQuery) -> duckdb.DuckDBPyRelation | None:
    """One row a point, of at least the names and services that are asked for; None where no column is."""
    columns, source = opened.columns, opened.source
    is_time = str(source.types[source.columns.index(columns.time)]).startswith("TIMESTAMP")
    metrics = [name for name in columns.wide[:MAX_SERIES] if query.wants_name(name or opened.stem)] or [""]
    if columns.wide and metrics == [""]:
        return None
    rows, *others = (source.project(_head(columns, is_time, name)) for name in metrics)
    for other in others:
        rows = rows.union(other)
    unnamed = "metric = '' OR " if query.wants_name(opened.stem) else ""
    rows = rows.filter(f"({unnamed}{_like('metric', query.name)}) AND {_like('service', query.service)}")
    if is_time:
        return rows
    rows.create("long")
    _read_other_times(opened.connection, ZoneInfo(opened.zone))
    return opened.connection.table("long")


def _like(column: str, glob: str) -> str:
    """Holds for all that the glob matches, and for more: SQL lowers and matches letters beyond ASCII its own way."""
    pattern = re.sub(r"\[.*|[^ -~]|[*?']", "%", (glob or "*").lower())
    if not pattern.strip("%"):
        return "true"
    return f"lower({column}) {'LIKE' if '%' in pattern else '='} {_literal(pattern)}"


def _read_csv(connection: duckdb.DuckDBPyConnection, file: str, path: str) -> Opened:
    """The rows as text. Quotes are read line by line.

    DuckDB lets one stray quote swallow the rest of a file; so it gets only files without any.
    """
    with open(path, encoding="utf-8-sig", errors="replace") as lines:  # noqa: PTH123 - a descriptor, not a file's name
        first = lines.readline(MAX_HEADER)
        header, separator = _header(first)
        if not header or (header == [""] and not first.strip()):
            raise Refused(f"{file}: the file is empty")
        if '"' not in first and not _has_quotes(path):
            return Opened(connection, file, _clean_csv(connection, file, path, header, separator))
        rows = [row for line in lines if (row := next(csv.reader([line.rstrip("\r\n")], delimiter=separator), None))]
    good = [row for row in rows if len(row) >= len(header)]
    texts = {f"c{at}": [row[at] for row in good] for at in range(len(header))}
    columns = ", ".join(
        f"unnest(${key}::VARCHAR[]) AS {_quoted(name)}" for key, name in zip(texts, header, strict=True)
    )
    return Opened(connection, file, connection.sql(f"SELECT {columns}", params=texts), rejected=len(rows) - len(good))


def _clean_csv(
    connection: duckdb.DuckDBPyConnection, file: str, path: str, header: list[str], separator: str
) -> duckdb.DuckDBPyRelation:
    """Rows of a table of points are read as they are asked for; a wide one is asked for each of its columns."""
    names = ", ".join(f"{_literal(name)}: 'VARCHAR'" for name in header)
    rows = connection.sql(
        f"SELECT * FROM read_csv({_literal(path)}, columns = {{{names}}}, delim = {_literal(separator)}, "  # noqa: S608
        "auto_detect = false, header = true, quote = '', escape = '', strict_mode = false, ignore_errors = true, "
        "store_rejects = true, compression = 'none')"
    )
    if not find_columns(file, header).wide:
        return rows
    rows.create("source")
    return connection.table("source")


def _has_quotes(path: str) -> bool:
    with open(path, "rb") as file:  # noqa: PTH123 - a descriptor, not a file's name
        return any(b'"' in chunk for chunk in iter(lambda: file.read(2**20), b""))


def _distinct(header: list[str]) -> list[str]:
    """Column names that differ also without regard to case, as SQL wants them."""
    names: list[str] = []
    for raw in header:
        name, taken = raw.strip() or "column", {known.lower() for known in names}
        suffixes = (f"{name}_{number}" for number in range(1, len(header) + 1))
        names.append(next(one for one in (name, *suffixes) if one.lower() not in taken))
    return names


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _text(name: str) -> str:
    return f"coalesce(trim({_quoted(name)}::VARCHAR), '')" if name else "''"


def _head(columns: Columns, is_time: bool, wide: str = "") -> str:
    """The projection to the long form; with `wide`, that column as the metric. `is_time`: times are no text to read."""
    time = _quoted(columns.time)
    labels = ", ".join(_text(name) for name in columns.labels)
    metric = _literal(wide) if wide else _text(columns.metric)
    moment = f"{time}::TIMESTAMPTZ" if is_time else f"TRY_CAST({time}::VARCHAR AS TIMESTAMPTZ)"
    unread = "NULL::VARCHAR" if is_time else f"CASE WHEN {moment} IS NULL THEN {time}::VARCHAR END"
    return (
        f"{unread} AS unread, {moment} AS moment, "
        f"{_text(columns.service)} AS service, {metric} AS metric, {_text(columns.unit)} AS unit, "
        f"[{labels}]::VARCHAR[] AS labels, TRY_CAST({_quoted(wide or columns.value)} AS DOUBLE) AS value"
    )


def _read_other_times(connection: duckdb.DuckDBPyConnection, zone: ZoneInfo) -> None:
    """Epoch numbers and other forms, which SQL's cast does not know, are read by our own reader."""
    texts = connection.table("long").filter("unread IS NOT NULL").project("unread").distinct().fetchall()
    known = [(text, us) for (text,) in texts if (us := read_us(text, zone)) is not None]
    if known:
        connection.execute(
            "CREATE TABLE other AS SELECT unnest($texts::VARCHAR[]) AS text, unnest($times::BIGINT[]) AS us",
            {"texts": [text for text, _ in known], "times": [us for _, us in known]},
        )
        connection.execute("UPDATE long SET moment = make_timestamptz(us) FROM other WHERE unread = other.text")


def _count(rows: duckdb.DuckDBPyRelation) -> int:
    return int(rows.aggregate("count(*)").fetchall()[0][0])


def _outline(opened: Opened, long: duckdb.DuckDBPyRelation) -> Outline:
    figures = "count(*), count(*) FILTER (good), min(us) FILTER (good), max(us) FILTER (good)"
    judged = long.project(f"service, metric, labels, epoch_us(moment) AS us, coalesce({GOOD}, false) AS good")
    groups = judged.aggregate(f"service, metric, labels, {figures}").fetchall()
    kept = [group for group in groups if group[4]]
    rows = sum(group[4] for group in kept)
    return Outline(
        series=len(kept),
        rows=rows,
        skipped=sum(group[3] for group in groups) - rows + opened.rejects(),
        names=frozenset(group[1] or opened.stem for group in kept),
        services=frozenset(group[0] for group in kept if group[0]),
        oldest_us=min((group[5] for group in kept), default=FOREVER_US),
        newest_us=max((group[6] for group in kept), default=-FOREVER_US),
    )


def _series(opened: Opened, points: duckdb.DuckDBPyRelation, query: MetricQuery) -> list[Series]:
    """Series in the order of service, metric and labels."""
    if not query.is_for_all:  # few points: the file is read once for keys and points
        points.create("points")
        points = opened.connection.table("points")
    points.aggregate("service, metric, labels, any_value(unit) AS unit").order("service, metric, labels").project(
        "row_number() OVER () - 1 AS key, *"
    ).create("keys")
    numbered = opened.connection.table("keys")
    keys = [key for key in numbered.order("key").fetchall() if query.wants(key[2] or opened.stem, key[1])]
    if len(keys) > MAX_SERIES:
        raise Refused(f"{opened.file}: {len(keys):,} series, more than the {MAX_SERIES:,} that are read")
    same = "points.service = keys.service AND points.metric = keys.metric AND points.labels = keys.labels"
    joined = points.set_alias("points").join(numbered.set_alias("keys"), same)
    return _split(keys, opened, _sorted(joined.project("key, epoch_us(moment) AS time_us, value").fetchnumpy()))


def _between(good: duckdb.DuckDBPyRelation, query: MetricQuery) -> duckdb.DuckDBPyRelation:
    """By the moment itself, so that row groups of other times are not read."""
    since = f"moment >= make_timestamptz({query.since_us}::BIGINT)" if query.since_us else "true"
    until = f"moment < make_timestamptz({query.until_us}::BIGINT)" if query.until_us < FOREVER_US else "true"
    return good.filter(f"{since} AND {until}")


def _sorted(points: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """By key, time and value; numpy sorts one column of integers several times faster than DuckDB three."""
    key, time_us, value = (np.asarray(points[name]) for name in ("key", "time_us", "value"))
    if not len(key):
        return {"key": key, "time_us": time_us, "value": value}
    first = int(time_us.min())
    span = int(time_us.max()) - first + 1
    if span * (int(key.max()) + 1) < 2**62:
        place = key.astype(np.int64) * span + (time_us - first)
        order = np.argsort(place, kind="stable")
        is_unique = bool(np.all(np.diff(place[order]) > 0))
    else:
        is_unique = False
    if not is_unique:
        order = np.lexsort((value, time_us, key))
    return {"key": key[order], "time_us": time_us[order], "value": value[order]}


def _split(keys: list[tuple[Any, ...]], opened: Opened, points: dict[str, NDArray[Any]]) -> list[Series]:
    numbers = np.asarray([key[0] for key in keys], np.int64)
    lows, highs = (np.searchsorted(points["key"], numbers, side) for side in ("left", "right"))
    return [
        Series(
            service=service,
            name=metric or opened.stem,
            times=np.asarray(points["time_us"][low:high], np.int64),
            values=np.asarray(points["value"][low:high], np.float64),
            labels={name: label for name, label in zip(opened.columns.labels, labels, strict=False) if label},
            unit=unit,
        )
        for (_, service, metric, labels, unit), low, high in zip(keys, lows, highs, strict=True)
    ]

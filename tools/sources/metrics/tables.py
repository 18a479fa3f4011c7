"""Reads one metrics table, CSV or Parquet, into series by DuckDB. Which file is read is decided elsewhere."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from itertools import islice
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from tools.sources.confined import Refused, Root
from tools.sources.metrics.columns import Columns, find_columns
from tools.sources.metrics.query import Series
from tools.sources.timestamps import read_us

MAX_SERIES = 5_000
MAX_HEADER = 65_536
GOOD = "time_us IS NOT NULL AND value IS NOT NULL AND isfinite(value)"
SETTINGS: dict[str, Any] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "threads": 2,
    "memory_limit": "512MB",
}


@dataclass(frozen=True, slots=True)
class Table:
    """One file, read: its series, how many rows they took, and how many were passed over."""

    series: list[Series]
    rows: int
    skipped: int


def read_table(root: Root, file: str) -> Table:
    """Raises Refused in words."""
    descriptor = root.open(file)
    try:
        with duckdb.connect(":memory:", config=SETTINGS) as connection:
            connection.execute("SET TimeZone = 'UTC'")  # naive times are UTC
            return _read(connection, file, descriptor)
    except duckdb.Error as error:
        raise Refused(f"{file}: could not be read as a table ({str(error).splitlines()[0][:200]})") from None
    finally:
        os.close(descriptor)


def _read(connection: duckdb.DuckDBPyConnection, file: str, descriptor: int) -> Table:
    path = f"/proc/self/fd/{descriptor}"  # by descriptor: what was checked is what is read
    if file.lower().endswith(".parquet"):
        source, rejected = connection.read_parquet(path), 0
    else:
        source, rejected = _read_csv(connection, file, path)
    columns = find_columns(file, source.columns)
    is_time = str(source.types[source.columns.index(columns.time)]).startswith("TIMESTAMP")
    source.project(_head(columns, is_time)).create("long") if columns.value else _unpivot(source, columns, is_time)
    _read_other_times(connection)
    long = connection.table("long")
    series, kept = _series(long.filter(GOOD), columns, file)
    return Table(series, kept, _count(long) - kept + rejected)


def _read_csv(connection: duckdb.DuckDBPyConnection, file: str, path: str) -> tuple[duckdb.DuckDBPyRelation, int]:
    """The rows as text, and how many lines were no rows. Quotes are read line by line.

    DuckDB lets one stray quote swallow the rest of a file; so it gets only files without any.
    """
    with open(path, encoding="utf-8-sig", errors="replace") as lines:  # noqa: PTH123 - a descriptor, not a file's name
        first = lines.readline(MAX_HEADER)
        separator = max(",;\t|", key=first.count)
        header = _distinct(next(csv.reader([first], delimiter=separator), []))
        if not header or (header == [""] and not first.strip()):
            raise Refused(f"{file}: the file is empty")
        if '"' not in first and not _has_quotes(path):
            return _read_clean_csv(connection, path, header, separator)
        rows = [row for line in lines if (row := next(csv.reader([line.rstrip("\r\n")], delimiter=separator), None))]
    good = [row for row in rows if len(row) >= len(header)]
    texts = {f"c{at}": [row[at] for row in good] for at in range(len(header))}
    columns = ", ".join(
        f"unnest(${key}::VARCHAR[]) AS {_quoted(name)}" for key, name in zip(texts, header, strict=True)
    )
    return connection.sql(f"SELECT {columns}", params=texts), len(rows) - len(good)


def _read_clean_csv(
    connection: duckdb.DuckDBPyConnection, path: str, header: list[str], separator: str
) -> tuple[duckdb.DuckDBPyRelation, int]:
    connection.execute(
        "CREATE TABLE source AS SELECT * FROM read_csv($path, columns = $columns, delim = $separator, "
        "auto_detect = false, header = true, quote = '', escape = '', strict_mode = false, ignore_errors = true, "
        "store_rejects = true, compression = 'none')",
        {"path": path, "columns": dict.fromkeys(header, "VARCHAR"), "separator": separator},
    )
    return connection.table("source"), _count(connection.table("reject_errors").project("line").distinct())


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


def _text(name: str) -> str:
    return f"coalesce(trim({_quoted(name)}::VARCHAR), '')" if name else "''"


def _head(columns: Columns, is_time: bool, wide: str = "") -> str:
    """The projection to the long form; with `wide`, that column as the metric. `is_time`: times are no text to read."""
    time = _quoted(columns.time)
    labels = ", ".join(_text(name) for name in columns.labels)
    metric = "'" + wide.replace("'", "''") + "'" if wide else _text(columns.metric)
    text = "NULL::VARCHAR" if is_time else f"{time}::VARCHAR"
    moment = f"{time}::TIMESTAMPTZ" if is_time else f"TRY_CAST({time}::VARCHAR AS TIMESTAMPTZ)"
    return (
        f"{text} AS time_text, epoch_us({moment}) AS time_us, "
        f"{_text(columns.service)} AS service, {metric} AS metric, {_text(columns.unit)} AS unit, "
        f"[{labels}]::VARCHAR[] AS labels, TRY_CAST({_quoted(wide or columns.value)} AS DOUBLE) AS value"
    )


def _unpivot(source: duckdb.DuckDBPyRelation, columns: Columns, is_time: bool) -> None:
    first, *others = (source.project(_head(columns, is_time, name)) for name in islice(columns.wide, MAX_SERIES))
    for other in others:
        first = first.union(other)
    first.create("long")


def _read_other_times(connection: duckdb.DuckDBPyConnection) -> None:
    """Epoch numbers and other forms, which SQL's cast does not know, are read by our own reader."""
    unread = connection.table("long").filter("time_us IS NULL AND time_text IS NOT NULL")
    texts = unread.project("time_text").distinct().fetchall()
    known = [(text, us) for (text,) in texts if (us := read_us(text)) is not None]
    if known:
        connection.execute(
            "CREATE TABLE other AS SELECT unnest($texts::VARCHAR[]) AS time_text, unnest($times::BIGINT[]) AS us",
            {"texts": [text for text, _ in known], "times": [us for _, us in known]},
        )
        connection.execute("UPDATE long SET time_us = other.us FROM other WHERE long.time_text = other.time_text")


def _count(rows: duckdb.DuckDBPyRelation) -> int:
    return int(rows.aggregate("count(*)").fetchall()[0][0])


def _series(good: duckdb.DuckDBPyRelation, columns: Columns, file: str) -> tuple[list[Series], int]:
    """Series in the order of service, metric and labels, and how many points they have."""
    keys = (
        good.aggregate("service, metric, labels, any_value(unit) AS unit").order("service, metric, labels").fetchall()
    )
    if len(keys) > MAX_SERIES:
        raise Refused(f"{file}: {len(keys):,} series, more than the {MAX_SERIES:,} that are read")
    numbered = "service, metric, labels, row_number() OVER (ORDER BY service, metric, labels) - 1 AS key"
    numbers = good.aggregate("service, metric, labels").project(numbered)
    same = "points.service = numbers.service AND points.metric = numbers.metric AND points.labels = numbers.labels"
    joined = good.set_alias("points").join(numbers.set_alias("numbers"), same).project("key, time_us, value")
    points = _sorted(joined.fetchnumpy())
    return _split(keys, columns, file, points), len(points["key"])


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


def _split(keys: list[tuple[Any, ...]], columns: Columns, file: str, points: dict[str, NDArray[Any]]) -> list[Series]:
    cuts = np.searchsorted(points["key"], np.arange(len(keys) + 1))
    stem = file.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return [
        Series(
            service=service,
            name=metric or stem,
            times=np.asarray(points["time_us"][low:high], np.int64),
            values=np.asarray(points["value"][low:high], np.float64),
            labels={name: label for name, label in zip(columns.labels, labels, strict=False) if label},
            unit=unit,
        )
        for (service, metric, labels, unit), low, high in zip(keys, cuts[:-1], cuts[1:], strict=True)
    ]

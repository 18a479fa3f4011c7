"""Metrics in CSV and Parquet files, long (timestamp, service, metric, value) or wide (a column a metric)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from tools.sources.confined import Fingerprint, Refused, Root
from tools.sources.metrics.query import Series
from tools.sources.spec import SourceState
from tools.sources.timestamps import from_us, read_us

NAME = re.compile(r"metrics.*\.(?:csv|tsv|parquet)\Z", re.IGNORECASE)

TIMES = ("timestamp", "time", "ts", "@timestamp", "datetime", "date")
METRICS = ("metric", "metric_name", "name", "__name__")
VALUES = ("value", "val")
SERVICES = ("service", "service_name", "service.name", "app", "application", "component", "job")
UNITS = ("unit",)
MAX_SERIES = 5_000


@dataclass(frozen=True, slots=True)
class Table:
    """One file, read: its series and how many rows were passed over."""

    series: list[Series]
    rows: int
    skipped: int


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column plays which part. `value` is empty in a wide table, whose metrics are the columns of `wide`."""

    time: str
    service: str
    metric: str
    value: str
    unit: str
    labels: tuple[str, ...]
    wide: tuple[str, ...]


def find_columns(file: str, header: list[str]) -> Columns:
    """Raises Refused naming the column that is missing."""
    by_lower = {name.strip().lower(): name for name in header}

    def pick(names: tuple[str, ...]) -> str:
        return next((by_lower[name] for name in names if name in by_lower), "")

    time, metric, value, service, unit = (pick(names) for names in (TIMES, METRICS, VALUES, SERVICES, UNITS))
    if not time:
        raise Refused(f"{file}: no column 'timestamp'; it has {', '.join(header) or 'no header'}")
    others = tuple(name for name in header if name not in (time, metric, value, service, unit))
    if metric and not value:
        raise Refused(f"{file}: no column 'value' beside '{metric}'; it has {', '.join(header)}")
    if metric:
        return Columns(time, service, metric, value, unit, others, ())
    if value:  # one series to a file
        return Columns(time, service, "", value, unit, others, ())
    if not others:
        raise Refused(
            f"{file}: no column 'metric' and 'value', nor any column with numbers; it has {', '.join(header)}"
        )
    return Columns(time, service, "", "", "", (), others)


@lru_cache(maxsize=16)
def _read(root: str, file: str, seen: Fingerprint) -> Table:
    descriptor = Root(root).open(file)
    try:
        return _load(file, f"/proc/self/fd/{descriptor}")  # by descriptor: what was checked is what is read
    except duckdb.Error as error:
        raise Refused(f"{file}: could not be read as a table ({str(error).splitlines()[0][:200]})") from None
    finally:
        os.close(descriptor)


def _connect() -> duckdb.DuckDBPyConnection:
    config: dict[str, Any] = {
        "autoinstall_known_extensions": False, "autoload_known_extensions": False, "threads": 2, "memory_limit": "512MB",
    }  # fmt: skip
    connection = duckdb.connect(":memory:", config=config)
    connection.execute("SET TimeZone = 'UTC'")  # naive times are UTC
    return connection


def _load(file: str, path: str) -> Table:
    with _connect() as connection:
        if file.lower().endswith(".parquet"):
            connection.execute("CREATE VIEW source AS SELECT * FROM read_parquet($path)".replace("$path", f"'{path}'"))
        else:
            _view_of_csv(connection, path)
        header = [row[0] for row in connection.execute("DESCRIBE source").fetchall()]
        columns = find_columns(file, header)
        connection.execute(f"CREATE TABLE long AS {_long_form(columns)}")
        return _series(connection, columns, file)


def _view_of_csv(connection: duckdb.DuckDBPyConnection, path: str) -> None:
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        first = file.readline(65_536)
    separator = max(",;\t|", key=first.count)
    delimiter = "\\t" if separator == "\t" else separator
    connection.execute(
        f"CREATE VIEW source AS SELECT * FROM read_csv('{path}', all_varchar = true, header = true, delim = '{delimiter}', "
        "quote = '\"', escape = '\"', null_padding = true, strict_mode = false, ignore_errors = true, compression = 'none')"
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(name: str) -> str:
    return f"coalesce(trim({_quoted(name)}::VARCHAR), '')" if name else "''"


def _long_form(columns: Columns) -> str:
    """SQL that yields time_text, time_us, service, metric, unit, labels, value for every row."""
    labels = ", ".join(f"{_text(name)}" for name in columns.labels)
    time = _quoted(columns.time)
    head = (
        f"{time}::VARCHAR AS time_text, epoch_us(TRY_CAST({time}::VARCHAR AS TIMESTAMPTZ)) AS time_us, "
        f"{_text(columns.service)} AS service"
    )
    if columns.value:
        return (
            f"SELECT {head}, {_text(columns.metric)} AS metric, {_text(columns.unit)} AS unit, [{labels}]::VARCHAR[] AS labels, "
            f"TRY_CAST({_quoted(columns.value)} AS DOUBLE) AS value FROM source"
        )
    return " UNION ALL ".join(
        f"SELECT {head}, '{name.strip().replace(chr(39), chr(39) * 2)}' AS metric, '' AS unit, []::VARCHAR[] AS labels, "
        f"TRY_CAST({_quoted(name)} AS DOUBLE) AS value FROM source"
        for name in columns.wide
    )


def _series(connection: duckdb.DuckDBPyConnection, columns: Columns, file: str) -> Table:
    _read_other_times(connection)
    rows = _count(connection, "true")
    good = "time_us IS NOT NULL AND value IS NOT NULL AND isfinite(value)"
    kept = _count(connection, good)
    keys = connection.execute(
        f"SELECT service, metric, labels, any_value(unit), row_number() OVER (ORDER BY service, metric, labels) - 1 "
        f"FROM long WHERE {good} GROUP BY service, metric, labels ORDER BY 1, 2, 3"
    ).fetchall()
    if len(keys) > MAX_SERIES:
        raise Refused(f"{file}: {len(keys):,} series, more than the {MAX_SERIES:,} that are read")
    columns_read = connection.execute(
        f"SELECT dense_rank() OVER (ORDER BY service, metric, labels) - 1 AS key, time_us, value "
        f"FROM long WHERE {good} ORDER BY key, time_us"
    ).fetchnumpy()
    series = _split(keys, columns, file, columns_read["key"], columns_read["time_us"], columns_read["value"])
    return Table(series, kept, rows - kept)


def _count(connection: duckdb.DuckDBPyConnection, condition: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM long WHERE {condition}").fetchone()
    return int(row[0]) if row else 0


def _read_other_times(connection: duckdb.DuckDBPyConnection) -> None:
    """Epoch numbers and other forms, which SQL's cast does not know, are read by our own reader."""
    texts = connection.execute(
        "SELECT DISTINCT time_text FROM long WHERE time_us IS NULL AND time_text IS NOT NULL LIMIT 1000000"
    ).fetchall()
    known = [(text, us) for (text,) in texts if (us := read_us(text)) is not None]
    if known:
        connection.execute("CREATE TABLE other (time_text VARCHAR, us BIGINT)")
        connection.execute(
            "INSERT INTO other SELECT unnest($texts), unnest($times)",
            {"texts": [text for text, _ in known], "times": [us for _, us in known]},
        )
        connection.execute("UPDATE long SET time_us = other.us FROM other WHERE long.time_text = other.time_text")


def _split(
    keys: list[tuple[Any, ...]],
    columns: Columns,
    file: str,
    codes: NDArray[np.int64],
    times: NDArray[np.int64],
    values: NDArray[np.float64],
) -> list[Series]:
    cuts = np.searchsorted(codes, np.arange(len(keys) + 1))
    stem = file.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return [
        Series(
            service=service,
            name=metric or stem,
            times=np.asarray(times[low:high], np.int64),
            values=np.asarray(values[low:high], np.float64),
            labels={name: label for name, label in zip(columns.labels, labels, strict=False) if label},
            unit=unit or "",
        )
        for (service, metric, labels, unit, _), low, high in zip(keys, cuts[:-1], cuts[1:], strict=True)
    ]


@dataclass(slots=True)
class FileMetrics:
    """Tables of one folder as one source; a series that two files hold is joined."""

    name: str
    root: Root
    files: list[str]
    notes: list[str] = field(default_factory=list)

    def tables(self) -> list[Table]:
        found, self.notes = [], []
        for file in self.files:
            try:
                found.append(_read(str(self.root.path), file, self.root.fingerprint(file)))
            except Refused as refusal:
                self.notes.append(str(refusal))
        return found

    def series(self) -> list[Series]:
        """Sorted by id, so that the same question gets the same answer."""
        joined: dict[str, list[Series]] = {}
        for table in self.tables():
            for series in table.series:
                joined.setdefault(series.id, []).append(series)
        return [_join(joined[key]) for key in sorted(joined)]

    def state(self) -> SourceState:
        tables = self.tables()
        series = [one for table in tables for one in table.series]
        skipped = sum(table.skipped for table in tables)
        return SourceState(
            name=self.name,
            kind="metrics",
            rows=sum(table.rows for table in tables),
            oldest=min((from_us(one.times[0]) for one in series), default=None),
            newest=max((from_us(one.times[-1]) for one in series), default=None),
            services=sorted({one.service for one in series if one.service}),
            problem=""
            if series
            else "; ".join(self.notes) or f"no row with a time and a number ({skipped:,} passed over)",
            skipped=skipped,
            notes=tuple(self.notes),
        )


def _join(parts: list[Series]) -> Series:
    if len(parts) == 1:
        return parts[0]
    times = np.concatenate([part.times for part in parts])
    values = np.concatenate([part.values for part in parts])
    order = np.argsort(times, kind="stable")
    first = parts[0]
    return Series(first.service, first.name, times[order], values[order], first.labels, first.unit)

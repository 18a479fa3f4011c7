"""Tables of metrics: what is read for a question by name equals what the whole table holds."""

from __future__ import annotations

import csv
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools.sources.confined import Root
from tools.sources.metrics import files
from tools.sources.metrics.files import NARROW, FileMetrics, KeptTable
from tools.sources.metrics.query import EVERYTHING, FOREVER_US, MetricQuery, Series
from tools.sources.metrics.tables import read_outline, read_series

START_US = int(datetime(2026, 3, 1, 9, tzinfo=UTC).timestamp()) * 1_000_000
MINUTE_US = 60_000_000

names = st.sampled_from(
    ["cpu", "CPU", " cpu ", "cpu_user", "c%u", "o'clock", "[x]", "\u212aelvin", "\u0130d", "", "metrics"]
)
services = st.sampled_from(["orders", "Orders", "pay-ments", "straße", "", " pay "])
globs = st.sampled_from(
    [
        "*",
        "",
        "cpu",
        "CPU*",
        "c?u",
        "*_user",
        "[c]pu",
        "[!c]*",
        "o'clock",
        "kelvin",
        "k*",
        "i?d",
        "metrics",
        "m*",
        "[",
        "c%u",
    ]
)
of_service = st.sampled_from(["*", "", "orders", "ORD*", "pay?ments", "STRASSE", "stra*", "straße", "pay"])
minutes = st.integers(-3, 3)
moments = st.one_of(
    minutes.map(lambda n: datetime.fromtimestamp(START_US / 1e6 + 60 * n, UTC).isoformat()),
    minutes.map(lambda n: datetime.fromtimestamp(START_US / 1e6 + 60 * n, UTC).strftime("%Y-%m-%d %H:%M:%S")),
    minutes.map(lambda n: f"2026-03-01T10:{n + 3:02d}:00+01:00"),
    minutes.map(lambda n: str(START_US // 1_000_000 + 60 * n)),  # epoch seconds
    st.sampled_from(["soon", "", "1969-12-31T23:59:00Z"]),
)
values = st.sampled_from(["1", "2.5", "-3", "1e3", "NaN", "inf", "", "n/a"])
rows = st.lists(st.tuples(moments, services, names, values, st.sampled_from(["a", "b", ""])), max_size=12)
queries = st.builds(
    lambda name, service, since, length: MetricQuery(
        name, service, START_US + since * MINUTE_US, START_US + (since + length) * MINUTE_US
    ),
    globs, of_service, minutes, st.integers(0, 4),
)  # fmt: skip
any_time = st.builds(MetricQuery, globs, of_service)
checked = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@checked
@given(rows, st.one_of(queries, any_time), st.booleans())
def test_a_csv_read_by_name_holds_what_the_whole_table_holds(
    table: list[tuple[str, ...]], query: MetricQuery, is_quoted: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder) / "metrics.csv", ["time", "service", "metric", "value", "zone"], table, is_quoted)
        _holds(Root(folder), "metrics.csv", query)


@checked
@given(st.lists(st.tuples(moments, services, values, values), max_size=8), st.one_of(queries, any_time))
def test_a_wide_csv_read_by_name_holds_what_the_whole_table_holds(
    table: list[tuple[str, ...]], query: MetricQuery
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder) / "metrics.csv", ["time", "service", "cpu", "cpu_user"], table)
        _holds(Root(folder), "metrics.csv", query)


@checked
@given(rows, st.one_of(queries, any_time), st.sampled_from(["TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP_NS", "VARCHAR"]))
def test_a_parquet_read_by_name_holds_what_the_whole_table_holds(
    table: list[tuple[str, ...]], query: MetricQuery, of_time: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with duckdb.connect(":memory:") as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("CREATE TABLE texts (time TEXT, service TEXT, metric TEXT, value TEXT, zone TEXT)")
            for row in table:
                connection.execute("INSERT INTO texts VALUES (?, nullif(?, ''), nullif(?, ''), ?, ?)", row)
            cast = f"TRY_CAST(time AS {of_time}) AS time, TRY_CAST(value AS DOUBLE) AS value"
            connection.execute(f"COPY (SELECT * REPLACE ({cast}) FROM texts) TO '{folder}/metrics.parquet'")  # noqa: S608  our own words
        _holds(Root(folder), "metrics.parquet", query)


def test_questions_by_name_read_the_whole_table_once_there_are_several(tmp_path: Path) -> None:
    _write(
        tmp_path / "metrics.csv", ["time", "service", "metric", "value"], [("2026-03-01T09:00:00Z", "a", "cpu", "1")]
    )
    table = KeptTable(Root(tmp_path), "metrics.csv")
    for _ in range(NARROW):
        assert len(table.series(MetricQuery("cpu"))) == 1
        assert "whole" not in vars(table)
    assert len(table.series(MetricQuery("cpu"))) == 1
    assert "whole" in vars(table)


def test_a_known_series_that_is_silent_in_the_range_is_there_and_empty(tmp_path: Path) -> None:
    _write(
        tmp_path / "metrics.csv", ["time", "service", "metric", "value"], [("2026-03-01T09:00:00Z", "a", "cpu", "1")]
    )
    files._kept.cache_clear()
    source = FileMetrics("shop", Root(tmp_path), ["metrics.csv"])
    (silent,) = source.series(MetricQuery("cpu", "*", 0, START_US))
    assert silent.name == "cpu"
    assert not len(silent.times)
    assert source.series(MetricQuery("memory", "*", 0, START_US)) == []


def test_an_outline_counts_short_lines_and_values_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(
        "time,service,metric,value\n2026-03-01T09:00:00Z,a,cpu,1\n2026-03-01T09:01:00Z,a,cpu,none\nsoon,a,cpu,1\nshort\n"
    )
    outline = read_outline(Root(tmp_path), "metrics.csv")
    assert (outline.series, outline.rows, outline.skipped) == (1, 1, 3)
    assert (outline.oldest_us, outline.newest_us) == (START_US, START_US)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_an_outline_says_of_an_empty_table_that_it_is_empty(tmp_path: Path, ending: str) -> None:
    with duckdb.connect(":memory:") as connection:
        connection.execute(
            "COPY (SELECT now() AS time, 'cpu' AS metric, 1.0 AS value LIMIT 0) "
            f"TO '{tmp_path}/metrics.{ending}' (FORMAT {ending})"
        )
    assert read_outline(Root(tmp_path), f"metrics.{ending}").rows == 0


def _holds(root: Root, file: str, query: MetricQuery) -> None:
    whole, outline = read_series(root, file, EVERYTHING), read_outline(root, file)
    assert outline.series == len(whole)
    assert outline.rows == sum(len(one.times) for one in whole)
    assert outline.names == {one.name for one in whole}
    assert outline.services == {one.service for one in whole if one.service}
    assert outline.oldest_us == min((int(one.times[0]) for one in whole), default=FOREVER_US)
    assert outline.newest_us == max((int(one.times[-1]) for one in whole), default=-FOREVER_US)
    wanted = [one.between(query.since_us, query.until_us) for one in whole if query.wants(one.name, one.service)]
    narrow = KeptTable(root, file).series(query)
    assert _filled(narrow) == _filled(wanted)
    assert bool(narrow) == bool(wanted)


def _filled(series: list[Series]) -> list[Any]:
    for one in series:
        assert np.all(np.diff(one.times) >= 0)
    return [(one.id, one.unit, one.times.tolist(), one.values.tolist()) for one in series if len(one.times)]


def _write(path: Path, header: list[str], table: list[tuple[str, ...]], is_quoted: bool = False) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        quoting = csv.QUOTE_ALL if is_quoted else csv.QUOTE_MINIMAL
        csv.writer(file, quoting=quoting, lineterminator="\n").writerows([header, *table])

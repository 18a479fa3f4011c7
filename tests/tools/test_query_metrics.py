"""query_metrics on a small folder: aggregation, globs, caps, tables that are not what they should be."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from tests.tools.conftest import AS_OF, ONSET, START, Ask, ask_folder, minutes, stamp, write
from tools.base import Status, ToolError
from tools.query_metrics import MAX_POINTS


def test_a_series_has_points_stats_and_citable_figures(ask: Ask) -> None:
    result = ask("query_metrics", name="latency_ms")
    (series,) = result.data["series"]
    assert series["id"] == "orders latency_ms"
    assert series["points"][0] == [stamp(START), 20.0]
    assert series["points"][-1] == [stamp(AS_OF), 500.0]
    assert series["stats"] == {
        "min": 20, "max": 500, "mean": pytest.approx((40 * 20 + 21 * 500) / 61), "median": 20,
        "first": 20, "last": 500, "count": 61,
    }  # fmt: skip
    assert result.figures["orders latency_ms max"] == 500
    assert result.source == "shop:metrics"
    assert "orders latency_ms 20 → 500" in result.summary


@pytest.mark.parametrize(
    ("args", "ids"),
    [
        ({}, ["orders latency_ms", "payments error_rate"]),
        ({"name": "*_ms"}, ["orders latency_ms"]),
        ({"name": "ERROR_*"}, ["payments error_rate"]),
        ({"service": "pay*"}, ["payments error_rate"]),
    ],
)
def test_names_and_services_are_globs(ask: Ask, args: dict[str, str], ids: list[str]) -> None:
    assert [series["id"] for series in ask("query_metrics", **args).data["series"]] == ids


@pytest.mark.parametrize(
    ("aggregation", "value"),
    [("avg", 308.0), ("min", 20.0), ("max", 500.0), ("sum", 1540.0), ("last", 500.0), ("count", 5.0)],
)
def test_points_are_aggregated_to_the_step(tmp_path: Path, aggregation: str, value: float) -> None:
    values = [20, 20, 500, 500, 500]
    rows = [f"{stamp(START + timedelta(minutes=n))},orders,latency,{v}" for n, v in enumerate(values)]
    write(tmp_path / "metrics.csv", ["timestamp,service,metric,value", *rows])
    result = ask_folder(tmp_path, "query_metrics", aggregation=aggregation, step_s=300)
    assert result.data["series"][0]["points"] == [[stamp(START), value]]


def test_a_range_cuts_the_series(ask: Ask) -> None:
    (series,) = ask("query_metrics", name="latency_ms", since=stamp(ONSET)).data["series"]
    assert series["stats"]["min"] == 500
    assert series["stats"]["count"] == 21


def test_nothing_found_is_no_data_and_names_what_there_is(ask: Ask) -> None:
    result = ask("query_metrics", name="cpu")
    assert result.status is Status.NO_DATA
    assert result.data["available"] == ["error_rate", "latency_ms"]
    assert "metrics: error_rate, latency_ms; services: orders, payments" in result.summary


def test_a_known_metric_beside_its_time_says_how_far_the_data_reach(ask: Ask) -> None:
    result = ask("query_metrics", name="latency_ms", since="2026-02-28", until="2026-03-01")
    assert result.status is Status.NO_DATA
    assert "reaches from 2026-03-01T09:00:00Z to 2026-03-01T10:00:00Z" in result.summary


def test_how_far_the_data_reach_is_said_to_the_second(tmp_path: Path) -> None:
    write(tmp_path / "metrics.csv", ["timestamp,service,metric,value", "2026-03-01T09:00:00.511Z,orders,cpu,1"])
    result = ask_folder(tmp_path, "query_metrics", name="cpu", since="2026-02-28", until="2026-03-01")
    assert "reaches from 2026-03-01T09:00:00Z to 2026-03-01T09:00:00Z" in result.summary


def test_too_many_points_widen_the_step_and_the_query_says_so(tmp_path: Path) -> None:
    rows = [f"{stamp(at)},s{n},load,1" for n in range(40) for at in minutes(AS_OF - timedelta(hours=12))]
    write(tmp_path / "metrics.csv", ["timestamp,service,metric,value", *rows])
    result = ask_folder(tmp_path, "query_metrics", step_s=60)
    assert sum(len(series["points"]) for series in result.data["series"]) <= MAX_POINTS
    assert result.data["step_s"] > 60
    assert (result.query["step_s"], result.query["asked_step_s"]) == (result.data["step_s"], 60)


def test_too_many_series_are_truncated_and_the_summary_says_so(tmp_path: Path) -> None:
    rows = [f"{stamp(AS_OF)},s{n:04d},load,1" for n in range(450)]
    write(tmp_path / "metrics.csv", ["timestamp,service,metric,value", *rows])
    result = ask_folder(tmp_path, "query_metrics")
    assert result.status is Status.TRUNCATED
    assert "450 series" in result.summary
    assert "the first 400 shown" in result.summary


def test_rows_without_a_number_or_a_time_are_skipped_and_counted(tmp_path: Path) -> None:
    good = f"{stamp(START)},orders,latency,7"
    bad = [f"{stamp(START)},orders,latency,{value}" for value in ("NaN", "", "inf", "fast")]
    write(tmp_path / "metrics.csv", ["timestamp,service,metric,value", *bad, "later,orders,latency,3", "cut,off", good])
    result = ask_folder(tmp_path, "query_metrics")
    assert result.data["series"][0]["points"] == [[stamp(START), 7.0]]
    assert result.skipped == 6
    assert "6 malformed rows skipped" in result.summary


def test_a_stray_quote_costs_its_own_line_only(tmp_path: Path) -> None:
    rows = [f"{stamp(at)},orders,latency,1" for at in minutes()]
    rows[10] = f'{stamp(START)},"orders,latency,1'
    rows[11] = f'{stamp(START)},"orders, eu",latency,1'
    write(tmp_path / "metrics.csv", ["timestamp,service,metric,value", *rows])
    result = ask_folder(tmp_path, "query_metrics")
    assert [(one["service"], one["stats"]["count"]) for one in result.data["series"]] == [
        ("orders", 59),
        ("orders, eu", 1),
    ]
    assert result.skipped == 1


def test_unsorted_rows_in_mixed_zones_come_out_in_order(tmp_path: Path) -> None:
    times = ["2026-03-01T10:30:00+01:00", "2026-03-01T09:10:00Z", "2026-03-01 09:20:00", "1772354400"]
    write(
        tmp_path / "metrics.csv", ["timestamp,service,metric,value", *(f"{at},a,m,{n}" for n, at in enumerate(times))]
    )
    (series,) = ask_folder(tmp_path, "query_metrics").data["series"]
    assert [[at[11:16], value] for at, value in series["points"]] == [
        ["08:40", 3.0],
        ["09:10", 1.0],
        ["09:20", 2.0],
        ["09:30", 0.0],
    ]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("service,metric,value", "no column 'timestamp'; it has service, metric, value"),
        ("timestamp,service,metric", "no column 'value' beside 'metric'; it has timestamp, service, metric"),
        ("timestamp,service,value", "metrics.csv: no column 'metric' beside 'value'; it has timestamp, service, value"),
        ("timestamp,service", "nor a column for each metric"),
    ],
)
def test_a_missing_column_is_named(tmp_path: Path, header: str, said: str) -> None:
    write(tmp_path / "metrics.csv", [header, "2026-03-01T09:00:00Z,a,b,c"])
    with pytest.raises(ToolError) as caught:
        ask_folder(tmp_path, "query_metrics")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "ids"),
    [
        (["timestamp,metric,value", "2026-03-01T09:00:00Z,cpu,1"], ["cpu"]),
        (["timestamp,cpu,mem", "2026-03-01T09:00:00Z,1,2"], ["cpu", "mem"]),
        (["time,service,cpu", "2026-03-01T09:00:00Z,db,1"], ["db cpu"]),
        (["timestamp,value", "2026-03-01T09:00:00Z,1"], ["metrics"]),
        (["Timestamp;Service;Metric;Value", "2026-03-01T09:00:00Z;db;cpu;1"], ["db cpu"]),
        (["timestamp,service,metric,value,pod", "2026-03-01T09:00:00Z,db,cpu,1,db-0"], ["db cpu{pod=db-0}"]),
        (["\ufefftimestamp,service,metric,value", "2026-03-01T09:00:00Z,db,cpu,1"], ["db cpu"]),
    ],
)
def test_tables_in_other_shapes_are_read(tmp_path: Path, lines: list[str], ids: list[str]) -> None:
    write(tmp_path / "metrics.csv", lines)
    assert [series["id"] for series in ask_folder(tmp_path, "query_metrics").data["series"]] == ids


def test_hostile_column_names_stay_names(tmp_path: Path) -> None:
    write(tmp_path / "metrics.csv", ["timestamp,'); DROP TABLE long; --,x y", "2026-03-01T09:00:00Z,1,2"])
    ids = [series["id"] for series in ask_folder(tmp_path, "query_metrics").data["series"]]
    assert ids == ["'); DROP TABLE long; --", "x y"]


def test_parquet_is_read_like_csv(tmp_path: Path) -> None:
    rows = "SELECT TIMESTAMP '2026-03-01 09:00:00' AS timestamp, 'db' AS service, 'cpu' AS metric, 1.5 AS value"
    duckdb.sql(rows).write_parquet(str(tmp_path / "metrics.parquet"))
    (series,) = ask_folder(tmp_path, "query_metrics").data["series"]
    assert (series["id"], series["points"]) == ("db cpu", [["2026-03-01T09:00:00Z", 1.5]])


def test_a_damaged_table_beside_a_good_one_is_a_note(tmp_path: Path) -> None:
    write(tmp_path / "metrics.csv", ["timestamp,service,metric,value", f"{stamp(AS_OF)},db,cpu,1"])
    (tmp_path / "metrics-old.parquet").write_bytes(b"PAR1 is not enough")
    result = ask_folder(tmp_path, "query_metrics")
    assert result.status is Status.SUCCESS
    assert "metrics-old.parquet: could not be read as a table" in result.summary


def test_a_table_that_holds_only_its_header_is_empty_and_not_broken(tmp_path: Path) -> None:
    write(tmp_path / "metrics.csv", ["timestamp,service,metric,value"])
    result = ask_folder(tmp_path, "query_metrics")
    assert result.status is Status.NO_DATA
    assert result.data["available"] == []

"""query_traces on a small folder: calls, self time, the deepest failure, other field names."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.tools.conftest import AS_OF, START, Ask, ask_folder, span, stamp, write
from tools.base import Status


def test_services_have_their_own_time_apart_from_that_of_their_callees(ask: Ask) -> None:
    services = {row["service"]: row for row in ask("query_traces", until="09:30").data["services"]}
    assert services["orders"] == {
        "service": "orders", "spans": 1, "errors": 0,
        "p50_ms": 30, "p99_ms": 30, "self_p50_ms": 20, "self_p99_ms": 20,
    }  # fmt: skip
    assert services["payments"]["self_p50_ms"] == 10


def test_edges_come_from_the_spans_and_from_the_topology_file(ask: Ask) -> None:
    edges = {(row["caller"], row["callee"]): row for row in ask("query_traces").data["edges"]}
    assert set(edges) == {("gateway", "orders"), ("orders", "payments"), ("orders", "stock")}
    assert (edges["orders", "payments"]["calls"], edges["orders", "payments"]["errors"]) == (2, 1)
    assert edges["orders", "stock"]["calls"] == 0


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("metric", "one", "other"),
    [
        ("traces_service_graph_request_total", "client", "server"),
        ("istio_requests_total", "source_workload", "destination_workload"),
        ("calls", "Caller", "callee"),
    ],
)
def test_edges_come_from_metrics_that_count_calls(
    tmp_path: Path, suffix: str, metric: str, one: str, other: str
) -> None:
    rows = [f"{stamp(AS_OF)},{metric},{value},{ends}" for value, ends in (
        (1, "gateway,orders"), (2, "gateway,orders"), (3, "orders,stock"), (4, "unknown,orders"), (5, "orders,"),
    )]  # fmt: skip
    table = tmp_path / "metrics-calls.csv"
    write(table, [f"timestamp,metric,value,{one},{other}", *rows])
    write(tmp_path / "metrics.csv", ["timestamp,service,metric,value", f"{stamp(AS_OF)},orders,up,1"])
    if suffix == "parquet":
        duckdb.sql(f"COPY (FROM read_csv('{table}')) TO '{table.with_suffix('.parquet')}'")
        table.unlink()

    traces = ask_folder(tmp_path, "query_traces")
    (state,) = [one for one in ask_folder(tmp_path, "list_sources").data["sources"] if one["kind"] == "traces"]

    assert [(edge["caller"], edge["callee"]) for edge in traces.data["edges"]] == [
        ("gateway", "orders"), ("orders", "stock"),
    ]  # fmt: skip
    assert (state["services"], state["problem"]) == (["gateway", "orders", "stock"], "")
    assert ask_folder(tmp_path, "query_metrics", name=metric).status == Status.SUCCESS


def test_metrics_without_both_ends_are_no_traces(tmp_path: Path) -> None:
    write(tmp_path / "metrics.csv", ["timestamp,metric,value,client", f"{stamp(AS_OF)},up,1,gateway"])
    write(tmp_path / "metrics-broken.parquet", ["client,server"])

    assert {one["kind"] for one in ask_folder(tmp_path, "list_sources").data["sources"]} == {"metrics"}


def test_the_deepest_failing_span_of_a_trace_is_the_error(ask: Ask) -> None:
    result = ask("query_traces")
    (error,) = result.data["errors"]
    assert (error["service"], error["error"]) == ("payments", "upstream timed out")
    assert result.figures["errors"] == 3
    assert "newest failure: payments charge: upstream timed out" in result.summary


def test_the_slowest_spans_are_those_that_spent_the_time_themselves(ask: Ask) -> None:
    (slowest,) = ask("query_traces", limit=1).data["slowest"]
    assert (slowest["service"], slowest["self_ms"]) == ("payments", 5000)


def test_spans_are_counted_by_minute(ask: Ask) -> None:
    per_minute = ask("query_traces").data["per_minute"]
    assert per_minute == [["2026-03-01T09:05:00Z", 3, 0], ["2026-03-01T09:45:00Z", 3, 3]]


@pytest.mark.parametrize(
    ("args", "traces"),
    [
        ({}, 2),
        ({"errors_only": True}, 1),
        ({"service": "payments"}, 2),
        ({"caller": "orders", "callee": "payments"}, 2),
        ({"callee": "payments", "errors_only": True}, 1),
        ({"since": "09:30"}, 1),
    ],
)
def test_filters_keep_whole_traces(ask: Ask, args: dict[str, Any], traces: int) -> None:
    result = ask("query_traces", **args)
    assert (result.data["traces"], result.data["spans"]) == (traces, 3 * traces)


def test_an_unknown_service_is_no_data_with_the_known_ones(ask: Ask) -> None:
    result = ask("query_traces", service="search")
    assert result.status is Status.NO_DATA
    assert "services: gateway, orders, payments, stock" in result.summary


def test_children_that_overlap_are_counted_once(tmp_path: Path) -> None:
    rows = [
        {"trace_id": "t", "span_id": "p", "service": "a", "start": "2026-03-01T09:00:00.000Z", "duration_ms": 100},
        {
            "trace_id": "t",
            "span_id": "x",
            "parent_id": "p",
            "service": "b",
            "start": "2026-03-01T09:00:00.010Z",
            "duration_ms": 50,
        },
        {
            "trace_id": "t",
            "span_id": "y",
            "parent_id": "p",
            "service": "b",
            "start": "2026-03-01T09:00:00.030Z",
            "duration_ms": 50,
        },
        {
            "trace_id": "t",
            "span_id": "z",
            "parent_id": "p",
            "service": "b",
            "start": "2026-03-01T09:00:00.090Z",
            "duration_ms": 90,
        },
    ]
    write(tmp_path / "traces.json", [json.dumps(rows)])
    services = {row["service"]: row for row in ask_folder(tmp_path, "query_traces").data["services"]}
    assert services["a"]["self_p50_ms"] == pytest.approx(20)


def test_a_callee_that_writes_no_spans_is_still_an_edge(tmp_path: Path) -> None:
    rows = [span("t", "a", None, "media", "fetch", START, 10, **{"peer.service": "s3"})]
    write(tmp_path / "traces.json", [json.dumps(rows)])
    (edge,) = ask_folder(tmp_path, "query_traces").data["edges"]
    assert (edge["caller"], edge["callee"], edge["calls"]) == ("media", "s3", 1)


def test_spans_under_other_names_are_read(tmp_path: Path) -> None:
    row = {
        "traceId": "t", "spanId": "s", "serviceName": "db", "operationName": "SELECT",
        "status": {"code": 2, "message": "deadlock"},
        "startTimeUnixNano": "1772355600000000000", "endTimeUnixNano": "1772355600250000000",
    }  # fmt: skip
    write(tmp_path / "traces.jsonl", [json.dumps(row), "broken"])
    result = ask_folder(tmp_path, "query_traces")
    (error,) = result.data["errors"]
    assert (error["at"], error["service"], error["name"], error["error"], error["duration_ms"]) == (
        "2026-03-01T09:00:00Z", "db", "SELECT", "deadlock", 250,
    )  # fmt: skip
    assert result.skipped == 1


def test_a_ring_of_parents_ends(tmp_path: Path) -> None:
    rows = [
        span("t", "a", "b", "x", "one", AS_OF, 5, status="ERROR"),
        span("t", "b", "a", "y", "two", AS_OF, 5, status="ERROR"),
        span("t", "c", "c", "z", "self", AS_OF, 5),
    ]
    write(tmp_path / "traces.json", [json.dumps(rows)])
    assert ask_folder(tmp_path, "query_traces").data["spans"] == 3


def test_a_folder_with_only_a_topology_still_tells_who_calls_whom(tmp_path: Path) -> None:
    write(tmp_path / "topology.csv", ["caller,callee", "a,b"])
    result = ask_folder(tmp_path, "query_traces", AS_OF + timedelta(days=1))
    assert result.status is Status.SUCCESS
    assert [(edge["caller"], edge["callee"]) for edge in result.data["edges"]] == [("a", "b")]
    assert stamp(AS_OF)[:4] in result.query["as_of"]

"""DuckDB alone: one metric of every service by minute, straight from the file."""

from __future__ import annotations

import time
from typing import Any

import duckdb

from bench.answering import serve

END = "TIMESTAMPTZ '2026-03-02 00:00:00+00'"
_connection = duckdb.connect(":memory:", config={"threads": 2})


def metrics(file: str, name: str, hours: float) -> dict[str, Any]:
    reader = "read_parquet" if file.endswith(".parquet") else "read_csv"
    started = time.perf_counter()
    rows = _connection.execute(
        f"SELECT service, epoch(time_bucket(INTERVAL 1 MINUTE, timestamp)) AS minute, avg(value) FROM {reader}($file) "  # noqa: S608  our own words
        f"WHERE metric = $name AND timestamp >= {END} - INTERVAL {hours} HOUR AND timestamp < {END} "
        "GROUP BY ALL ORDER BY ALL",
        {"file": file, "name": name},
    ).fetchall()
    return {"ms": (time.perf_counter() - started) * 1_000, "points": len(rows)}


if __name__ == "__main__":
    _connection.execute("SET TimeZone = 'UTC'")
    serve(metrics=metrics)

"""Our side of `logs`, `templates` and `metrics`: the code that tools call, without a run around it. Answers in ms."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench.answering import serve
from tools.analysis.online import find_alerts
from tools.analysis.templates import groups_of, mine
from tools.sources import SourceSet, SourceSpec
from tools.sources.logs.matching import compile_pattern
from tools.sources.logs.search import LogQuery
from tools.sources.metrics import files
from tools.sources.metrics.query import MetricQuery
from tools.sources.metrics.steps import by_steps

HOUR_US, NEWEST, MINUTE_US = 3_600_000_000, 50, 60_000_000
END_US = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp()) * 1_000_000
_lines: list[str] = []


def main() -> None:
    serve(search=search, read=read, mined=mined, groups=groups, metrics=metrics, scan=scan)


def search(folder: str, pattern: str, hours: float) -> dict[str, Any]:
    """Total, a minute, newest 50 of the last hours; and how far this process grew meanwhile, at most."""
    source = _sources(folder).logs()[0]
    query = LogQuery(
        compile_pattern(pattern, ignore_case=True), "", -1, END_US - int(hours * HOUR_US), END_US, MINUTE_US, NEWEST,
        count_before=False,
    )  # fmt: skip
    Path("/proc/self/clear_refs").write_text("5")  # forget the highest size so far
    before = _status("VmHWM")
    started = time.perf_counter()
    hits = source.search(query)
    took = (time.perf_counter() - started) * 1_000
    grown = (_status("VmHWM") - before) / 1_000
    return {"ms": took, "total": hits.total, "newest": len(hits.newest), "grown_mb": grown}


def _status(name: str) -> int:
    """A size of this process in kB, as the system counts it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))


def read(file: str) -> dict[str, Any]:
    _lines[:] = Path(file).read_text().splitlines()
    return {"lines": len(_lines)}


def mined() -> dict[str, Any]:
    started = time.perf_counter()
    found = mine(_lines)
    return {"ms": (time.perf_counter() - started) * 1_000, "templates": len(found)}


def groups() -> dict[str, Any]:
    return {"groups": groups_of(_lines)}


def metrics(folder: str, name: str, hours: float, is_cold: bool) -> dict[str, Any]:
    """One metric of every service over the last hours, by minute. Not cold: of a table that was read whole before."""
    source = _sources(folder).metrics()[0]
    if is_cold:
        files._kept.cache_clear()
    else:
        source.series()
    started = time.perf_counter()
    found = source.series(MetricQuery(name, "*", END_US - int(hours * HOUR_US), END_US, 60))
    points = sum(len(by_steps(one, MINUTE_US, "avg")[0]) for one in found if len(one.times))
    return {"ms": (time.perf_counter() - started) * 1_000, "points": points}


def scan(series: int, points: int) -> dict[str, Any]:
    """`floor_ms`: a robust z-score alone, vectorised over the same table."""
    values = np.random.default_rng(1).normal(100, 5, (series, points))
    values[::50, points * 5 // 6 :] += 60
    started = time.perf_counter()
    alerts = find_alerts(values, least_z=4.0)
    took = (time.perf_counter() - started) * 1_000
    started = time.perf_counter()
    middle = np.median(values, axis=1, keepdims=True)
    spread = 1.4826 * np.median(np.abs(values - middle), axis=1, keepdims=True)
    outside = np.abs(values - middle) / spread > 6
    floor = (time.perf_counter() - started) * 1_000
    return {
        "ms": took,
        "found": sum(map(bool, alerts)),
        "floor_ms": floor,
        "floor_found": int(outside.any(axis=1).sum()),
    }


def _sources(folder: str) -> SourceSet:
    return SourceSet([SourceSpec("bench", Path(folder).as_uri())])


if __name__ == "__main__":
    main()

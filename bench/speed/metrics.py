"""`metrics`: a metric of every service by minute, beside DuckDB alone on the same file; a scan of all for anomalies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import duckdb

from bench.contest import Contender, alternate, contender
from bench.databases import SQLITE, database, scratch
from bench.figures import Figure, median_of, median_ratio, target
from bench.speed.session import Session
from bench.stack import OUR_PYTHON, environment

METRIC, HOURS, NAMES = "error_rate", 6, 10  # one metric of ten
PEER = "DuckDB alone"
ASKED = {"name": METRIC, "hours": HOURS}
POINTS, SCAN_MS = 360, 50


def figures(session: Session) -> Iterator[Figure]:
    rounds = session.pick(smallest=1, usual=9, full=25)
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        env = environment(folder, stack.enter_context(database(SQLITE, folder)))
        ours = stack.enter_context(contender(OUR_PYTHON, "bench.ours.signals", **env))
        duck = stack.enter_context(contender(OUR_PYTHON, "bench.peers.duckdb_metrics"))
        for ending in ("parquet", "csv"):
            with session.stage(f"metrics · writing {ending}", 1) as on:
                file = _write(folder / ending, ending, series=session.pick(smallest=50, usual=1_000))
                on()
            yield from _read(session, ours, duck, file, rounds)
        yield _scan(session, ours, rounds)


def _read(session: Session, ours: Contender, duck: Contender, file: Path, rounds: int) -> Iterator[Figure]:
    for is_cold, words in ((True, "read for the first time"), (False, "read before")):
        turns = {
            "ours": lambda is_cold=is_cold: ours.ask("metrics", folder=str(file.parent), is_cold=is_cold, **ASKED)[
                "ms"
            ],
            "peer": lambda: duck.ask("metrics", file=str(file), **ASKED)["ms"],
        }
        with session.stage(f"metrics · {file.suffix[1:]}, {words}", rounds + 1) as on:
            took = alternate(turns, rounds, on)
        times = median_ratio(took["ours"], took["peer"])
        yield Figure(
            "metrics", f"{METRIC} by service, {HOURS} h by minute; {file.suffix[1:]} of a day, {words}", "ms",
            median_of(took["ours"]), median_of(took["peer"]), PEER, targets=target("× DuckDB's time", times, 1.5),
        )  # fmt: skip


def _scan(session: Session, ours: Contender, rounds: int) -> Figure:
    series = session.pick(smallest=50, usual=1_000)
    took: dict[str, list[float]] = {"ours": [], "floor": []}
    with session.stage("metrics · scan", rounds + 1) as on:
        for number in range(rounds + 1):
            told = ours.ask("scan", series=series, points=POINTS)
            if number:
                took["ours"].append(told["ms"])
                took["floor"].append(told["floor_ms"])
            on()
    mine = median_of(took["ours"])
    return Figure(
        "metrics", f"scan of {series:,} series × {POINTS} points for anomalies", "ms", mine,
        floor=median_of(took["floor"]), floor_name="a robust z-score alone", targets=target("ms", mine, SCAN_MS),
    )  # fmt: skip


def _write(folder: Path, ending: str, series: int) -> Path:
    """A day of minutes; NAMES metrics of series / NAMES services."""
    folder.mkdir()
    file = folder / f"metrics.{ending}"
    form = "FORMAT parquet, ROW_GROUP_SIZE 100000" if ending == "parquet" else "FORMAT csv, HEADER"
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            "COPY (SELECT TIMESTAMPTZ '2026-03-01 00:00:00+00' + INTERVAL 1 MINUTE * minute AS timestamp, "  # noqa: S608
            f"'service-' || (key // {NAMES}) AS service, "
            f"CASE key % {NAMES} WHEN 0 THEN '{METRIC}' ELSE 'metric_' || (key % {NAMES}) END AS metric, "
            "round(abs(sin(key * 7.3 + minute * 0.01)) * 100, 3) AS value "
            f"FROM range(1440) m(minute), range({series}) k(key) ORDER BY minute, key) TO '{file}' ({form})"
        )
    return file

"""`audit`: what a row costs to put on record and to verify, and whether verifying takes more memory for more rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench.contest import Contender, alternate, contender
from bench.databases import SQLITE, NoDatabase, database, scratch
from bench.figures import Figure, median_of, quantile, target
from bench.speed.session import Session
from bench.stack import OUR_PYTHON, environment, running_redis

P99_MS = {SQLITE: 2.0}
SMALL = 10_000  # rows
VERIFY_US, VERIFY_MB, FLAT = 30, 200, 1.1
WRITE_FLOOR, WALK_FLOOR = "the same bytes by INSERT", "SELECT by the driver"


def figures(session: Session) -> Iterator[Figure]:
    for kind in session.kinds:
        try:
            yield from _on(session, kind)
        except NoDatabase as missing:
            yield Figure("audit", kind, "ms", None, note=str(missing))


def _on(session: Session, kind: str) -> Iterator[Figure]:
    # A million on SQLite; PostgreSQL takes the rows one by one, so that a tenth must do.
    rows = session.rows or session.pick(smallest=2_000, usual=1_000_000 if kind == SQLITE else 100_000)
    small = min(SMALL, rows)
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        url = stack.enter_context(database(kind, folder))
        stack.enter_context(running_redis(folder))
        writer = _ours(stack, folder, url)
        writer.ask("prepare", rows=small)
        few = _ours(stack, folder, url).ask("walk")
        with session.stage(f"audit · signing {rows:,} rows on {kind}", 1) as on:
            writer.ask("prepare", rows=rows - small)
            on()
        yield _write(session, kind, writer)
        yield from _walk(session, kind, _ours(stack, folder, url), few["mb"])


def _ours(stack: ExitStack, folder: Path, url: str) -> Contender:
    return stack.enter_context(contender(OUR_PYTHON, "bench.ours.audit", **environment(folder, url)))


def _write(session: Session, kind: str, ours: Contender) -> Figure:
    n, rounds = session.pick(smallest=20, usual=500), session.pick(smallest=1, usual=9)
    turns = {
        "ours": lambda: quantile(ours.ask("write", n=n)["ms"], 0.99),
        "floor": lambda: quantile(ours.ask("write_floor", n=n)["ms"], 0.99),
    }
    with session.stage(f"audit · writing on {kind}", rounds + 1) as on:
        took = alternate(turns, rounds, on)
    mine = median_of(took["ours"])
    bound = target("ms", mine, P99_MS[kind]) if kind in P99_MS else ()
    return Figure(
        "audit", f"{kind}: a Step on record, p99", "ms", mine, floor=median_of(took["floor"]), floor_name=WRITE_FLOOR,
        targets=bound,
    )  # fmt: skip


def _walk(session: Session, kind: str, fresh: Contender, few_mb: float) -> Iterator[Figure]:
    first = fresh.ask("walk")  # its memory counts, its time warms up
    turns = {"ours": lambda: fresh.ask("walk")["us"], "floor": lambda: fresh.ask("walk_floor")["us"]}
    rounds = session.pick(smallest=1, usual=3)
    with session.stage(f"audit · verifying on {kind}", rounds + 1) as on:
        took = alternate(turns, rounds, on)
    mine = median_of(took["ours"])
    yield Figure(
        "audit", f"{kind}: verify one of {first['rows']:,} rows", "µs", mine, floor=median_of(took["floor"]),
        floor_name=WALK_FLOOR, targets=target("µs", mine, VERIFY_US), note=f"{first['cpu_us']:.0f} µs of it on a CPU",
    )  # fmt: skip
    yield Figure(
        "audit", f"{kind}: memory to verify {first['rows']:,} rows", "MB", first["mb"], floor=few_mb,
        floor_name=f"{SMALL:,} rows" if session.scale != "smallest" else "fewer rows",
        targets=(*target("MB", first["mb"], VERIFY_MB), *target("× fewer rows", first["mb"] / few_mb, FLAT)),
    )  # fmt: skip

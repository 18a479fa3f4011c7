"""`history`: whether the lists stay as quick over a million Steps as over a thousand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import psycopg

from bench.contest import Contender, alternate, contender
from bench.databases import SQLITE, NoDatabase, database, scratch
from bench.figures import Figure, median_of, median_ratio, target
from bench.speed.session import Session
from bench.stack import OUR_PYTHON, environment, running_redis

SMALL = 1_000  # Steps
PEER, FLOOR = "count and OFFSET", "the rows by the driver"


def figures(session: Session) -> Iterator[Figure]:
    for kind in session.kinds:
        try:
            yield from _on(session, kind)
        except NoDatabase as missing:
            yield Figure("history", kind, "ms", None, note=str(missing))


def _on(session: Session, kind: str) -> Iterator[Figure]:
    rows = session.rows or session.pick(smallest=2_000, usual=1_000_000, full=10_000_000)
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        url = stack.enter_context(database(kind, folder))
        stack.enter_context(running_redis(folder))
        small, large = (
            stack.enter_context(contender(OUR_PYTHON, "bench.ours.history", **environment(folder, each)))
            for each in (_second(url, kind), url)
        )
        small.ask("prepare", steps=SMALL)
        with session.stage(f"history · making {rows:,} Steps on {kind}", 1) as on:
            made = large.ask("prepare", steps=rows)
            on()
        for page in made["pages"]:
            yield _page(session, kind, page, made["steps"], small, large)


def _second(url: str, kind: str) -> str:
    """Another, empty database beside the first."""
    if kind == SQLITE:
        return url.replace("bench.sqlite3", "small.sqlite3")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE small")
    return url.removesuffix("/postgres") + "/small"


def _page(session: Session, kind: str, page: str, steps: int, small: Contender, large: Contender) -> Figure:
    rounds = session.pick(smallest=1, usual=9, full=25)
    turns = {
        "small": lambda: small.ask("look", name=page)["ms"],
        "large": lambda: large.ask("look", name=page)["ms"],
        "peer": lambda: large.ask("stock", name=page)["ms"],
        "floor": lambda: large.ask("floor", name=page)["ms"],
    }
    with session.stage(f"history · {page} on {kind}", rounds + 1) as on:
        took = alternate(turns, rounds, on)
    mine = median_of(took["large"])
    return Figure(
        "history", f"{kind}: {page}, {steps:,} Steps", "ms", mine, median_of(took["peer"]), PEER,
        median_of(took["floor"]), FLOOR,
        targets=(
            *target("ms", mine, 20),
            *target(f"× {SMALL:,} Steps", median_ratio(took["large"], took["small"]), 1.3),
        ),
    )  # fmt: skip

"""`durable`: what it costs to commit a cycle, whether a long history makes it dearer, and what a second worker adds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

from bench.contest import Contender, alternate, contender
from bench.databases import POSTGRESQL, SQLITE, NoDatabase, database, scratch
from bench.figures import Figure, median_of, median_ratio, target
from bench.speed.session import Session
from bench.stack import OUR_PYTHON, environment, running_redis

CYCLES = 20  # of a run, as in the anchors
FLOOR_NAME = "3 fsynced commits"


def figures(session: Session) -> Iterator[Figure]:
    for kind in session.kinds:
        try:
            yield from _on(session, kind)
        except NoDatabase as missing:
            yield Figure("durable", kind, "ms", None, note=str(missing))


def _on(session: Session, kind: str) -> Iterator[Figure]:
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        url = stack.enter_context(database(kind, folder))
        stack.enter_context(running_redis(folder))
        env = environment(folder, url)
        ours, second = (stack.enter_context(contender(OUR_PYTHON, "bench.ours.durable", **env)) for _ in range(2))
        ours.ask("prepare")
        peers = []
        if session.peers:
            peer_url = f"sqlite:///{folder / 'peer.sqlite3'}" if kind == SQLITE else url
            peers = [
                stack.enter_context(contender(session.peers, "bench.peers.langgraph_cycles", peer_url))
                for _ in range(2)
            ]
            peers[0].ask("prepare")
        yield from _cycle(session, kind, ours, peers)
        yield _growth(session, kind, ours)
        yield _two_workers(session, kind, [ours, second], peers)


def _cycle(session: Session, kind: str, ours: Contender, peers: list[Contender]) -> Iterator[Figure]:
    rounds = session.pick(smallest=1, usual=12, full=60)
    cycles = session.pick(smallest=2, usual=CYCLES)
    names = iter(range(1_000_000))
    turns = {
        "services": lambda: ours.ask("services", run=f"cycle {next(names)}", cycles=cycles)["ms"],
        "bare": lambda: ours.ask("bare", run=f"bare {next(names)}", cycles=cycles)["ms"],
        "floor": lambda: ours.ask("floor", cycles=cycles)["ms"],
    }
    if peers:
        turns["peer"] = lambda: peers[0].ask("run", cycles=cycles)["ms"]
    with session.stage(f"durable · a cycle on {kind}", rounds + 1) as on:
        took = alternate(turns, rounds, on)
    peer, floor = took.get("peer", []), took["floor"]
    for what, name in (("a cycle through the services", "services"), ("its three transitions alone", "bare")):
        mine = took[name]
        yield Figure(
            "durable", f"{kind}: {what}", "ms", median_of(mine), median_of(peer), "LangGraph sync", median_of(floor),
            FLOOR_NAME, note="" if peers else session.no_peers,
            targets=(
                *target("× peer", median_ratio(peer, mine) if peer else None, 3, at_least=True),
                *target("× floor", median_ratio(mine, floor), 2.5),
            ),
        )  # fmt: skip


def _growth(session: Session, kind: str, ours: Contender) -> Figure:
    """Cycles after the thousandth of one run, in turn with cycles after the tenth of ever new ones."""
    long, short = session.pick(smallest=20, usual=1_000), 10
    rounds = session.pick(smallest=1, usual=8, full=20)
    cycles = session.pick(smallest=2, usual=10)
    names = iter(range(1_000_000))
    chunk = 20
    with session.stage(f"durable · {long:,} cycles of one run on {kind}", long // chunk) as on:
        for _ in range(long // chunk):
            ours.ask("services", run="old", cycles=chunk)
            on()

    def young() -> float:
        name = f"young {next(names)}"
        ours.ask("services", run=name, cycles=short)
        return float(ours.ask("services", run=name, cycles=cycles)["ms"])

    turns = {"old": lambda: ours.ask("services", run="old", cycles=cycles)["ms"], "young": young}
    with session.stage(f"durable · cycle {long:,} beside cycle 10 on {kind}", rounds + 1) as on:
        took = alternate(turns, rounds, on)
    grown = median_ratio(took["old"], took["young"])
    return Figure(
        "durable", f"{kind}: cycle {long:,} of a run", "ms", median_of(took["old"]),
        floor=median_of(took["young"]), floor_name="cycle 10", targets=target("× floor", grown, 1.2),
    )  # fmt: skip


def _two_workers(session: Session, kind: str, ours: list[Contender], peers: list[Contender]) -> Figure:
    """Cycles a second of two processes on one database, each with its own run, beside those of one."""
    rounds, cycles = session.pick(smallest=1, usual=8, full=20), session.pick(smallest=2, usual=CYCLES * 2)
    names = iter(range(1_000_000))

    def rate(workers: list[Contender], do: str) -> float:
        started = time.perf_counter()
        for worker in workers:
            worker.tell(do, cycles=cycles, **({"run": f"shared {next(names)}"} if do == "services" else {}))
        for worker in workers:
            worker.hear()
        return len(workers) * cycles / (time.perf_counter() - started)

    turns = {"one": lambda: rate(ours[:1], "services"), "two": lambda: rate(ours, "services")}
    if peers:
        turns |= {"peer one": lambda: rate(peers[:1], "run"), "peer two": lambda: rate(peers, "run")}
    with session.stage(f"durable · two workers on {kind}", rounds + 1) as on:
        took = alternate(turns, rounds, on)
    gain = median_ratio(took["two"], took["one"])
    peer_gain = median_ratio(took["peer two"], took["peer one"]) if peers else None
    words = f"one worker does {median_of(took['one']):,.0f}; " + (
        f"LangGraph's second worker: × {peer_gain:.2f}" if peer_gain else session.no_peers
    )
    return Figure(
        "durable", f"{kind}: two workers", "cycles/s", median_of(took["two"]), median_of(took.get("peer two", [])),
        "LangGraph sync", more_is_better=True, note=words,
        targets=target("× one worker", gain, 1.7, at_least=True) if kind == POSTGRESQL else (),
    )  # fmt: skip

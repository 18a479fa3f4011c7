"""`templates`: 300,000 lines grouped by statement, beside drain3; how fast, and how many lines in the right group."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from bench import environment as peers
from bench.contest import Contender, alternate, contender
from bench.databases import SQLITE, database, scratch
from bench.figures import Figure, median_of, median_ratio, target
from bench.lines import statement_lines
from bench.quality.loghub import grouping
from bench.speed.session import Session
from bench.stack import OUR_PYTHON, environment

PEER_SHARE = 10  # drain3 takes every line one by one: a tenth of them says as much
NAMES = {True: "drain3 with its example masks", False: "drain3 with its defaults"}


def figures(session: Session) -> Iterator[Figure]:
    count, rounds = session.pick(smallest=20_000, usual=300_000), session.pick(smallest=1, usual=5, full=11)
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        rows = list(statement_lines(count))
        truth = [number for _, number in rows]
        (folder / "lines.txt").write_text("\n".join(text for text, _ in rows) + "\n")
        env = environment(folder, stack.enter_context(database(SQLITE, folder)))
        ours = stack.enter_context(contender(OUR_PYTHON, "bench.ours.signals", **env))
        ours.ask("read", file=str(folder / "lines.txt"))
        peer, why = _peer(session, stack)
        if peer:
            peer.ask("read", file=str(folder / "lines.txt"), at_most=count // PEER_SHARE)
        yield from _compared(session, ours, peer, truth, rounds, why)


def _peer(session: Session, stack: ExitStack) -> tuple[Contender | None, str]:
    if session.peers is None:
        return None, session.no_peers
    try:
        python = peers.make_ready("drain3")
    except peers.NoPeers as missing:
        return None, str(missing)
    return stack.enter_context(contender(python, "bench.peers.drain3_miner")), ""


def _compared(
    session: Session, ours: Contender, peer: Contender | None, truth: list[int], rounds: int, why: str
) -> Iterator[Figure]:
    mine, _ = grouping(ours.ask("groups")["groups"], truth)
    for masks, name in NAMES.items():
        turns = {"ours": lambda: len(truth) / ours.ask("mined")["ms"]}
        if peer:
            turns["peer"] = lambda masks=masks, peer=peer: (
                len(truth) / PEER_SHARE / peer.ask("mined", masks=masks)["ms"]
            )
        with session.stage(f"templates · {name}", rounds + 1) as on:
            rate = alternate(turns, rounds, on)
        theirs = grouping(peer.ask("groups")["groups"], truth[: len(truth) // PEER_SHARE])[0] if peer else None
        faster = median_ratio(rate["ours"], rate["peer"]) if peer else None
        yield Figure(
            "templates", f"{len(truth):,} lines, beside {name}", "lines/ms", median_of(rate["ours"]),
            median_of(rate.get("peer", [])), name, more_is_better=True, note=why,
            targets=target("× drain3", faster, 15, at_least=True) if masks else (),
        )  # fmt: skip
        yield Figure(
            "templates", f"grouping accuracy, beside {name}", "", mine, theirs, name, more_is_better=True,
            targets=target("of drain3's", mine, theirs, at_least=True) if theirs is not None else (),
        )  # fmt: skip

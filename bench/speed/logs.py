"""`logs`: an hour out of a day, and the whole day, beside ripgrep over the whole file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench.contest import Contender, alternate, contender
from bench.databases import SQLITE, database, scratch
from bench.figures import Figure, median_of, median_ratio, target
from bench.lines import day_of_lines
from bench.speed.session import Session
from bench.stack import OUR_PYTHON, environment

PATTERN = "timed out"
PEER, FLOOR = "ripgrep, the whole file", "wc -l, the whole file"
NO_PEER = "no ripgrep here: sudo apt install ripgrep"
TENTH = 2.4  # hours


def figures(session: Session) -> Iterator[Figure]:
    count = session.pick(smallest=400_000, usual=5_000_000, full=20_000_000)
    rounds = session.pick(smallest=1, usual=7, full=15)
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        with session.stage(f"logs · writing {count:,} lines", 1) as on:
            large, small = _write(folder / "large", count, 24), _write(folder / "small", count // 10, TENTH)
            on()
        env = environment(folder, stack.enter_context(database(SQLITE, folder)))
        ours = stack.enter_context(contender(OUR_PYTHON, "bench.ours.signals", **env))
        shell = stack.enter_context(contender(OUR_PYTHON, "bench.peers.ripgrep"))
        size = f"{count:,} lines, {large.stat().st_size / 1e9:.2f} GB"
        yield from _beside(session, ours, shell, large, size, rounds)
        yield _tenth(session, ours, large, small, rounds)
        fresh = stack.enter_context(contender(OUR_PYTHON, "bench.ours.signals", **env))
        grown = fresh.ask("search", folder=str(large.parent), pattern=PATTERN, hours=24.0)["grown_mb"]
        yield Figure(
            "logs", "memory that a search of the whole day adds", "MB", grown, targets=target("MB", grown, 100)
        )


def _beside(
    session: Session, ours: Contender, shell: Contender, file: Path, size: str, rounds: int
) -> Iterator[Figure]:
    has_peer = bool(session.peers) and shutil.which("rg") is not None
    for hours, words in ((1.0, "an hour of a day"), (24.0, "the whole day")):
        turns = {
            "ours": lambda hours=hours: ours.ask("search", folder=str(file.parent), pattern=PATTERN, hours=hours)["ms"],
            "floor": lambda: shell.ask("count", file=str(file))["ms"],
        }
        if has_peer:
            turns["peer"] = lambda: shell.ask("grep", file=str(file), pattern=PATTERN)["ms"]
        with session.stage(f"logs · {words}", rounds + 1) as on:
            took = alternate(turns, rounds, on)
        peer = took.get("peer", [])
        faster = median_ratio(peer, took["ours"]) if peer else None
        targets = (
            target("× ripgrep", faster, 6, at_least=True)
            if hours == 1
            else target("× ripgrep", faster, 1 / 3, at_least=True)
        )
        yield Figure(
            "logs", f"{words} ({size}): total, a minute, newest 50", "ms", median_of(took["ours"]), median_of(peer),
            PEER, median_of(took["floor"]), FLOOR, targets=targets, note="" if peer else session.no_peers or NO_PEER,
        )  # fmt: skip


def _tenth(session: Session, ours: Contender, large: Path, small: Path, rounds: int) -> Figure:
    """What the window costs where the file is a tenth."""
    turns = {
        name: lambda file=file: ours.ask("search", folder=str(file.parent), pattern=PATTERN, hours=1.0)["ms"]
        for name, file in (("large", large), ("small", small))
    }
    with session.stage("logs · the same hour of a tenth of the file", rounds + 1) as on:
        took = alternate(turns, rounds, on)
    times = median_ratio(took["large"], took["small"])
    return Figure(
        "logs", "the same hour, in ten times the file", "ms", median_of(took["large"]), floor=median_of(took["small"]),
        floor_name="in a tenth of it", targets=target("× a tenth", times, 1.2),
    )  # fmt: skip


def _write(folder: Path, count: int, hours: float) -> Path:
    folder.mkdir()
    file = folder / "shop.log"
    with file.open("wb") as lines:
        lines.writelines(day_of_lines(count, hours))
    return file

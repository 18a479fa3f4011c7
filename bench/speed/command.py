"""`bench speed`: which benches, how large, and the table at the end."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.contest import ContenderFailed
from bench.databases import KINDS
from bench.figures import Figure
from bench.speed import audit, cost, durable, history, live, logs, metrics, pickup, queue, slots, templates
from bench.speed.session import Session
from bench.stack import NotStarted
from bench.table import WIDTH, as_json, show

help = "how fast, beside the peers and the floor"
BENCHES: dict[str, Callable[[Session], Iterator[Figure]]] = {
    "durable": durable.figures,
    "pickup": pickup.figures,
    "live": live.figures,
    "history": history.figures,
    "queue": queue.figures,
    "slots": slots.figures,
    "cost": cost.figures,
    "audit": audit.figures,
    "logs": logs.figures,
    "templates": templates.figures,
    "metrics": metrics.figures,
}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--only", metavar="NAMES", help=f"some of {', '.join(BENCHES)}; separate them by commas")
    parser.add_argument("--db", choices=[*KINDS, "both"], default="both", help="default both")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there; - is stdout")
    parser.add_argument(
        "--rows", type=int, help="Steps of `history` and `audit` (default 1,000,000; --full 10,000,000)"
    )
    parser.add_argument("--no-peers", action="store_true", help="without the peers' packages: ours and the floor only")
    scale = parser.add_mutually_exclusive_group()
    scale.add_argument("--full", action="store_true", help="1,000 viewers, 10 M Steps, more rounds")
    scale.add_argument("--smallest", action="store_true", help="once round with almost nothing: does it still work?")


def run(options: dict[str, Any]) -> int:
    """Measure and print. 0: measured, whatever the figures; 1: a bench broke."""
    console = Console(stderr=options["json"] == Path("-"))
    if not console.is_terminal:
        console.width = WIDTH
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that all servers are ended too
    began, load = time.monotonic(), os.getloadavg()[0]
    with _progress(console) as progress:
        session = _session(options, progress)
        figures = [figure for name in _chosen(options) for figure in _guarded(name, session)]
    show(console, figures)
    if options["json"]:
        text = json.dumps(as_json(figures, time.monotonic() - began, load), indent=2)
        print(text) if options["json"] == Path("-") else options["json"].write_text(text + "\n")
    return int(any(figure.ours is None for figure in figures))


def _chosen(options: dict[str, Any]) -> list[str]:
    names = options["only"].split(",") if options["only"] else list(BENCHES)
    if unknown := [name for name in names if name not in BENCHES]:
        raise ValueError(f"No bench is called {', '.join(unknown)}. There are: {', '.join(BENCHES)}.")
    return names


def _session(options: dict[str, Any], progress: Progress) -> Session:
    return Session(
        progress, KINDS if options["db"] == "both" else (options["db"],),
        "full" if options["full"] else "smallest" if options["smallest"] else "usual",
        options["rows"] or 0, not options["no_peers"],
    )  # fmt: skip


def _guarded(name: str, session: Session) -> Iterator[Figure]:
    """A bench that breaks says so in the table; the others go on."""
    try:
        yield from BENCHES[name](session)
    except (ContenderFailed, NotStarted, psycopg.Error) as broken:
        yield Figure(name, "did not finish", "", None, note=str(broken))


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)

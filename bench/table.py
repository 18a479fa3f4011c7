"""Figures as a table for people and as JSON for scripts."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.figures import Figure, Target

WIDTH = 110  # where there is no terminal to ask


def show(console: Console, figures: Sequence[Figure]) -> None:
    for bench in dict.fromkeys(figure.bench for figure in figures):
        console.print(_table(bench, [figure for figure in figures if figure.bench == bench]))


def _table(bench: str, figures: Sequence[Figure]) -> Table:
    table = Table(title=bench, title_justify="left", caption=_legend(figures), caption_justify="left")
    table.add_column("what", ratio=1)
    for name in ("ours", "peer", "× peer", "floor", "× floor"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("targets", no_wrap=True)
    for figure in figures:
        table.add_row(*_cells(figure))
    return table


def _legend(figures: Sequence[Figure]) -> str:
    """Who the peers and floors are, and what could not be measured."""
    peers = dict.fromkeys(figure.peer_name for figure in figures if figure.peer is not None)
    floors = dict.fromkeys(figure.floor_name for figure in figures if figure.floor is not None)
    notes = [f"{figure.what}: {figure.note}" for figure in figures if figure.note]
    return "\n".join([f"peer: {', '.join(peers)} · floor: {', '.join(floors)}", *notes])


def _cells(figure: Figure) -> list[str]:
    return [
        f"{figure.what}, {figure.unit}" if figure.unit else figure.what,
        _number(figure.ours), _number(figure.peer), _number(figure.times_peer), _number(figure.floor),
        _number(figure.times_floor), "\n".join(map(_target, figure.targets)),
    ]  # fmt: skip


def _target(target: Target) -> str:
    mark, sign = ("[green]✓[/]", "[red]✗[/]")[not target.is_reached], "≥" if target.at_least else "≤"
    return f"{mark} {_number(target.value)} {target.words} ({sign} {_number(target.bound)})"


def _number(value: float | None) -> str:
    """Three significant digits; thousands as such."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def as_json(figures: Sequence[Figure], took_s: float, load_before: float) -> dict[str, Any]:
    """The figures with what they were taken on."""
    return {
        "taken_at": datetime.now().astimezone().isoformat(timespec="seconds"),
        "machine": {"system": platform.platform(), "python": platform.python_version(), "load_before": load_before},
        "took_s": round(took_s, 1),
        "figures": [figure.as_json() for figure in figures],
    }

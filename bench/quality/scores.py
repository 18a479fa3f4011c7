"""A suite's results as a table for people and as JSON for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.quality.case import Measure, Result, Suite
from bench.quality.spread import HALVES, spread

MOST_MISSES = 40


def show(console: Console, suite: Suite, results: Sequence[Result]) -> None:
    table = Table(title=f"{suite.name}: {len(results)} cases", title_justify="left")
    for name in ("measure", "value", "count", f"5–95 % of {HALVES} halves", "target"):
        table.add_column(name, justify="left" if name == "measure" else "right", no_wrap=True)
    for measure in suite.measures:
        if (value := measure.value(results)) is not None:
            row = (_number(value), measure.count(results), _range(measure, results), _target(measure, value))
            table.add_row(measure.words, *row)
    console.print(table)
    console.print(_costs(results))
    misses = [result for result in results if not result.verdict.hit]
    for result in misses[:MOST_MISSES]:
        console.print(_miss(result), markup=False, highlight=False)
    if len(misses) > MOST_MISSES:
        console.print(f"and {len(misses) - MOST_MISSES} more; --json FILE holds them all")


def _costs(results: Sequence[Result]) -> str:
    seconds = sorted(result.seconds for result in results)
    calls, size = (sum(getattr(result, name) for result in results) for name in ("tool_calls", "evidence_bytes"))
    return (
        f"a case: {seconds[len(seconds) // 2]:.2f} s (most {seconds[-1]:.2f} s), "
        f"{calls / len(results):.1f} tool calls, {size / len(results) / 1_000:,.0f} kB of evidence"
    )


def _miss(result: Result) -> str:
    said = " › ".join(str(one) for one in result.verdict.answer[:5]) or result.problem or "nothing"
    truth = ", ".join(f"{key} {value}" for key, value in result.truth.items() if isinstance(value, str | int | float))
    return f"missed {result.id}: {said}; truth: {truth or 'nothing'}"[:300]


def _range(measure: Measure, results: Sequence[Result]) -> str:
    found = spread(measure, results)
    return "–" if found is None else f"{_number(found[0])} – {_number(found[1])}"


def _target(measure: Measure, value: float) -> str:
    if measure.bound is None:
        return ""
    # A share's bound is a fraction of cases; half of the last digit keeps 19 of 23 from missing 19/23.
    is_reached = value >= measure.bound - 1e-9 if measure.at_least else value <= measure.bound + 1e-9
    mark = "[green]✓[/]" if is_reached else "[red]✗[/]"
    return f"{mark} {'≥' if measure.at_least else '≤'} {_number(measure.bound)}"


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) <= 1 else f"{value:.1f}"


def as_json(suite: Suite, results: Sequence[Result], planner: str, took_s: float) -> dict[str, Any]:
    return {
        "suite": suite.name,
        "planner": planner,
        "taken_at": datetime.now().astimezone().isoformat(timespec="seconds"),
        "took_s": round(took_s, 1),
        "measures": [_measured(measure, results) for measure in suite.measures],
        "cases": [result.as_json() for result in results],
    }


def _measured(measure: Measure, results: Sequence[Result]) -> dict[str, Any]:
    return {
        "measure": measure.words, "value": measure.value(results), "count": measure.count(results),
        "range_5_95": spread(measure, results), "bound": measure.bound, "at_least": measure.at_least,
    }  # fmt: skip

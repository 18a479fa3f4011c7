"""Any JSON data as lines for a prompt: single values, then tables with their columns named once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

Data = dict[str, Any]
ROWS = 12  # of one table; they come ranked, and the rest is counted
CELL_CHARS = 200
VALUE_CHARS = 320
# Columns that are read first. Evidence is stored with its keys sorted, so the tool's own order is gone.
FIRST = ("words", "id", "name", "service", "caller", "callee", "at", "kind", "change", "title")
EMPTY: tuple[Any, ...] = ("", None, [], {})


def tables(data: Data, said: Collection[str] = ()) -> Iterator[str]:
    """Every value of a tool's data but those of the names `said`; of a table the first rows."""
    found = {name: value for name, value in data.items() if _is_table(value)}
    for name, value in data.items():
        if name not in said and name not in found and value not in EMPTY:
            yield f"{name}: {_cell(value, VALUE_CHARS)}"
    for name, rows in found.items():
        yield from _table(name, rows)


def _table(name: str, rows: list[Data]) -> Iterator[str]:
    shown = rows[:ROWS]
    columns = [key for key in _in_order({key for row in shown for key in row}) if _tells(key, shown)]
    yield f"{name}, {len(rows)}: {' | '.join(columns)}"
    for row in shown:
        yield f"- {' | '.join(_cell(row.get(column)) for column in columns)}"
    if len(rows) > ROWS:
        yield f"- and {len(rows) - ROWS} more"


def _in_order(keys: Iterable[str]) -> list[str]:
    return sorted(keys, key=lambda key: (FIRST.index(key) if key in FIRST else len(FIRST), key))


def _tells(key: str, rows: list[Data]) -> bool:
    """Not a column that is empty, or that only repeats a part of the row's id."""
    ids = [str(row.get("id", "")) for row in rows]
    values = [row.get(key) for row in rows]
    repeats = key != "id" and all(
        isinstance(value, str) and value in ident for value, ident in zip(values, ids, strict=True)
    )
    return not repeats and any(value not in EMPTY for value in values)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _cell(value: Any, most: int = CELL_CHARS) -> str:
    if isinstance(value, dict):
        text = ", ".join(f"{key} {_cell(value[key])}" for key in _in_order(value) if value[key] not in EMPTY)
    elif isinstance(value, list):
        text = "; ".join(map(_cell, value))
    else:
        text = "" if value is None else str(value)
    return clip(text, most)


def clip(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"

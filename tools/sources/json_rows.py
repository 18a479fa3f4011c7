"""Rows of small JSON files: an array, an object that holds one, or an object a line. What rows mean is elsewhere."""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json

from tools.sources.confined import Refused, Root

MAX_BYTES = 128 * 2**20


def read_json(root: Root, file: str) -> Any:
    """The file's value. Raises Refused in words."""
    try:
        return from_json(root.text(file, MAX_BYTES))
    except ValueError as error:
        raise Refused(f"{file}: not valid JSON ({error})") from None


def read_rows(root: Root, file: str, keys: tuple[str, ...]) -> tuple[list[dict[str, Any]], int]:
    """Objects of the file and how many other things were passed over. `keys` name the array inside an object."""
    text = root.text(file, MAX_BYTES).strip()
    if not text:
        return [], 0
    try:
        value = from_json(text)
    except ValueError as error:
        return _lines(file, text, error)
    if isinstance(value, dict):
        value = next((value[key] for key in keys if isinstance(value.get(key), list)), [value])
    if not isinstance(value, list):
        raise Refused(f"{file}: holds neither an array nor an object")
    rows = [row for row in value if isinstance(row, dict)]
    return rows, len(value) - len(rows)


def _lines(file: str, text: str, error: ValueError) -> tuple[list[dict[str, Any]], int]:
    lines = [line for line in text.splitlines() if line.strip()]
    rows = [row for line in lines if isinstance(row := _row(line), dict)]
    if not rows:
        raise Refused(f"{file}: not valid JSON ({error})")
    return rows, len(lines) - len(rows)


def _row(line: str) -> Any:
    try:
        return from_json(line)
    except ValueError:
        return None

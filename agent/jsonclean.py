"""Makes any value plain JSON of bounded size: what a tool returns passes here before it is stored or shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from math import isfinite
from typing import Any

REPLACEMENT = "\ufffd"
MAX_DEPTH = 40  # deeper than any tool's documented shape; json and the databases refuse far deeper ones
LONG_LIST = 50  # shorter lists are rows and pairs: cutting them would break their shape
LONG_TEXT = 20_000


def clean(value: Any, depth: int = 0) -> Any:
    """`value` as JSON: NUL and lone surrogates replaced, NaN and infinities None, other types as text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if isfinite(value) else None
    if depth >= MAX_DEPTH:
        return "…"
    if isinstance(value, Mapping):
        return {clean_text(str(key)): clean(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [clean(item, depth + 1) for item in value]
    return _clean_other(value, depth)


def clean_text(text: str) -> str:
    """Text that both databases store: PostgreSQL refuses NUL, UTF-8 refuses a lone surrogate."""
    if text.isascii():
        return text.replace("\0", REPLACEMENT)
    return text.replace("\0", REPLACEMENT).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _clean_other(value: Any, depth: int) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return clean_text(value.decode("utf-8", "replace"))
    if hasattr(value, "tolist"):  # numpy arrays and scalars
        return clean(value.tolist(), depth + 1)
    return clean_text(str(value))


def encode(value: Any) -> bytes:
    """Clean JSON as UTF-8. Raises ValueError on what `clean` would have replaced."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


Cuts = dict[str, dict[str, int]]


def shorten(data: dict[str, Any], max_bytes: int) -> tuple[dict[str, Any], Cuts]:
    """Clean `data` with its longest parts cut until it fits, and what was cut: path → {"kept": n, "of": m}."""
    cuts: Cuts = {}
    size = len(encode(data))
    while size > max_bytes:
        share = 0.9 * max_bytes / size  # 0.9: a path is rarely cut exactly in proportion
        shorter: dict[str, Any] = _cut(data, share, "", cuts)
        new_size = len(encode(shorter))
        if new_size >= size:
            return {}, {"": {"kept": 0, "of": size}}
        data, size = shorter, new_size
    return data, cuts


def _cut(value: Any, share: float, path: str, cuts: Cuts) -> Any:
    """Cuts the innermost long lists, mappings and texts: what holds a long one is itself left whole."""
    if isinstance(value, str):
        return _cut_one(value, LONG_TEXT, share, path, cuts, lambda kept: value[:kept])
    before = len(cuts), sum(cut["kept"] for cut in cuts.values())
    if isinstance(value, dict):
        inner = {key: _cut(item, share, f"{path}.{key}" if path else key, cuts) for key, item in value.items()}
        if before != (len(cuts), sum(cut["kept"] for cut in cuts.values())):
            return inner
        return _cut_one(inner, LONG_LIST, share, path, cuts, lambda kept: dict(list(inner.items())[:kept]))
    if isinstance(value, list):
        rows = [_cut(item, share, f"{path}[]", cuts) for item in value]
        if before != (len(cuts), sum(cut["kept"] for cut in cuts.values())):
            return rows
        return _cut_one(rows, LONG_LIST, share, path, cuts, lambda kept: rows[:kept])
    return value

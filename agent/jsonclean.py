"""Makes any value plain JSON of bounded size: what a tool returns passes here before it is stored or shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from itertools import islice
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
        cutter = _Cutter(share=0.9 * max_bytes / size)  # 0.9: parts are rarely cut exactly in proportion
        data = cutter.cut(data, "")
        if not cutter.cuts:
            return {}, {"bytes": {"kept": 0, "of": size}}
        cuts |= {path: {"kept": cut["kept"], "of": cuts.get(path, cut)["of"]} for path, cut in cutter.cuts.items()}
        size = len(encode(data))
    return data, cuts


class _Cutter:
    """One pass over a value. The innermost long parts are cut; what holds one of them is left whole."""

    def __init__(self, share: float):
        self.share = share
        self.cuts: Cuts = {}
        self._count = 0

    def cut(self, value: Any, path: str) -> Any:
        if isinstance(value, str):
            return value[: self._kept(len(value), LONG_TEXT, path)]
        if not isinstance(value, (dict, list)):
            return value
        cut_before = self._count
        if isinstance(value, dict):
            inner: Any = {key: self.cut(item, f"{path}.{key}".lstrip(".")) for key, item in value.items()}
        else:
            inner = [self.cut(item, f"{path}[]") for item in value]
        if self._count > cut_before:
            return inner
        kept = self._kept(len(inner), LONG_LIST, path)
        return dict(islice(inner.items(), kept)) if isinstance(inner, dict) else inner[:kept]

    def _kept(self, length: int, at_least: int, path: str) -> int:
        kept = max(at_least, int(length * self.share))
        if kept >= length:
            return length
        self._count += 1
        cut = self.cuts.setdefault(path, {"kept": 0, "of": 0})
        cut["kept"] += kept
        cut["of"] += length
        return kept

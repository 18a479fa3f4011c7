"""Makes text and values from outside safe to store and to send on. Redaction is not done here."""

from __future__ import annotations

import math
from typing import Any

MAX_TEXT = 8_192
MAX_FIELDS = 60
MAX_DEPTH = 4


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """The text itself, cut at `limit`; NUL and lone surrogates, which databases refuse, become visible marks."""
    text = text[:limit]
    if "\x00" in text:
        text = text.replace("\x00", "\u2400")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def clean_value(value: Any, depth: int = 0) -> Any:
    """A JSON value with its texts cleaned, and deep or wide parts cut off."""
    if isinstance(value, str):
        return clean(value, 2_000)
    if isinstance(value, dict):
        kept = list(value.items())[:MAX_FIELDS] if depth < MAX_DEPTH else []
        return {clean(str(key), 200): clean_value(part, depth + 1) for key, part in kept}
    if isinstance(value, list):
        return [clean_value(part, depth + 1) for part in value[:MAX_FIELDS]] if depth < MAX_DEPTH else []
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, (bool, int, float)) else clean(str(value), 2_000)


def text_of(value: Any) -> str:
    """A value as clean text; "" for nothing."""
    return "" if value is None else clean(str(value))


def first_of(row: dict[str, Any], names: tuple[str, ...]) -> Any:
    """The value of the first of these names that the row has and that is not empty."""
    for name in names:
        if (value := row.get(name)) not in (None, ""):
            return value
    return None

"""Adds a source to a .env file, without touching anything else in it."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path


def add_to_list(path: Path, name: str, value: str) -> None:
    """Append `value` to the comma-separated NAME of a .env file; the line is made where it is missing.

    The file is replaced in one step, mode 600: a half-written .env would keep everything from starting.
    """
    text = path.read_text() if path.exists() else ""
    line = re.compile(rf"^(\s*(?:export\s+)?{re.escape(name)}\s*=[ \t]*)(.*?)([ \t]*)$", re.MULTILINE)
    if match := line.search(text):
        new = text[: match.start()] + match[1] + _joined(match[2], value) + text[match.end() :]
    else:
        new = text + ("" if not text or text.endswith("\n") else "\n") + f"{name}={value}\n"
    _replace(path, new)


def _joined(before: str, value: str) -> str:
    quote = before[0] if before[:1] in ("'", '"') and before[-1:] == before[0] else ""
    inner = before[1:-1] if quote else before
    return f"{quote}{','.join(filter(None, (inner, value)))}{quote}"


def _replace(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(prefix=".env-", dir=path.parent)  # mode 600
    with os.fdopen(handle, "w") as file:
        file.write(text)
    Path(name).replace(path)

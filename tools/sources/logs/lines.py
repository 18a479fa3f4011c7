"""One log line or entry, whatever its format: JSON or text, plain or wrapped by a container runtime.

The only door to the parsers beside it. Which lines there are is decided by the reader.
"""

from __future__ import annotations

from datetime import datetime

from tools.sources.logs import json_lines, text_lines
from tools.sources.logs.entry import Body, Head
from tools.sources.logs.wrapped import plain, unwrap


def head(line: bytes, newest: datetime) -> Head | None:
    """None where the line is no first one of an entry, or has no time.

    `newest` (the file's own date) gives the year where a line has none, and its zone the one of times without any.
    """
    line = plain(line)
    wrapped = unwrap(line)
    if wrapped is None:
        return _head(line, newest)
    if wrapped.is_rest:
        return None
    found = _head(wrapped.inner, newest, wrapped.at_us)
    if found is None:
        return None
    at_us = found.at_us if wrapped.at_us is None else wrapped.at_us
    return Head(at_us, found.level, wrapped.service or found.service)


def body(entry: bytes) -> Body:
    line = _own_words(entry)
    return json_lines.body(line) if line[:1] == b"{" else text_lines.body(line)


def message(entry: bytes) -> str:
    """Only the message: a few times cheaper than the whole body."""
    line = _own_words(entry)
    return json_lines.message(line) if line[:1] == b"{" else text_lines.body(line).message


def stands_alone(line: bytes) -> bool:
    """A JSON line, which neither is the rest of an entry nor has one."""
    return line[:1] == b"{" and unwrap(line) is None


def _head(line: bytes, newest: datetime, at_us: int | None = None) -> Head | None:
    if line[:1] == b"{" and (found := json_lines.head(line, newest.tzinfo, at_us)):
        return found
    # Behind a runtime's time half an object is an entry too: Docker cuts lines at 16 KB.
    return None if line[:1] == b"{" and at_us is None else text_lines.head(line, newest, at_us)


def _own_words(entry: bytes) -> bytes:
    """What the program wrote, without what the runtime put around each line."""
    entry = plain(entry)
    if (first := unwrap(entry.partition(b"\n")[0])) is None:
        return entry
    rest = entry.split(b"\n")[1:]
    return b"\n".join([first.inner, *(found.inner if (found := unwrap(one)) else one for one in rest)])

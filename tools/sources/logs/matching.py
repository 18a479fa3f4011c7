"""Which entries of an index a pattern matches: RE2 over whole blocks of the file, then over the entries hit."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np
import re2
from numpy.typing import NDArray

from tools.base import ToolError
from tools.sources.logs.index import LogIndex

BLOCK = 2**14  # bounds what a greedy pattern may scan past the entry that it matches


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern. It matches an entry when it matches the line as written or the message in it."""

    text: str
    compiled: re2._Regexp
    by_entry: bool  # anchors speak of an entry, not of the block around it
    ignore_case: bool = False

    @property
    def logql(self) -> str:
        """The pattern for another engine of the same syntax, with its case said inside."""
        return f"(?i){self.text}" if self.ignore_case else self.text

    def hits(self, text: bytes) -> bool:
        return self.compiled.search(text) is not None


def compile_pattern(text: str, ignore_case: bool) -> Pattern | None:
    """None for an empty pattern. Raises ToolError in words for what RE2 does not take."""
    if not text:
        return None
    options = re2.Options()
    options.case_sensitive = not ignore_case
    options.log_errors = False
    try:
        compiled = re2.compile(f"(?m){text}".encode(), options)
    except (re2.error, UnicodeEncodeError) as error:
        raise ToolError(_why(text, error)) from None
    by_entry = re.search(r"\\[AzZ]|[$^]", text) is not None
    return Pattern(text, compiled, by_entry, ignore_case)


def _why(text: str, error: Exception) -> str:
    raw = error.args[0] if error.args else error
    said = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    advice = "Escape special characters with \\ to search for plain text."
    if re.search(r"\(\?[=!<]|\\[1-9]", text):
        advice = "Look-ahead, look-behind and back-references do not exist in RE2; search for the parts, or use a|b."
    return f"pattern {text!r} is not a valid RE2 expression: {said}. {advice}"


def matching_rows(index: LogIndex, rows: NDArray[np.int64], pattern: Pattern | None) -> NDArray[np.int64]:
    """Those of `rows` (rising) that the pattern matches."""
    if pattern is None or not len(rows):
        return rows
    if pattern.by_entry:
        return np.array([row for row in rows.tolist() if _hits_entry(index, row, pattern)], np.int64)
    found = _scan(index, array("q", rows.tobytes()), pattern)
    escaped = np.setdiff1d(rows[index.escaped[rows]], found)
    more = [row for row in escaped.tolist() if pattern.hits(index.message(row).encode())]
    return np.union1d(found, np.array(more, np.int64)) if more else found


def _hits_entry(index: LogIndex, row: int, pattern: Pattern) -> bool:
    return pattern.hits(index.raw(row)) or pattern.hits(index.message(row).encode())


def _scan(index: LogIndex, rows: array[int], pattern: Pattern) -> NDArray[np.int64]:
    """The earliest match in the rest of a block can only begin in the first entry that matches by itself."""
    content, starts, ends = index.content, index.starts, index.ends
    search = pattern.compiled.search
    found, at = array("q"), 0
    while at < len(rows):
        start = starts[rows[at]]
        last = max(bisect_right(starts, start + BLOCK) - 1, rows[at])
        match = search(content, start, ends[last])
        if match is None:
            at = bisect_left(rows, last + 1, at)
            continue
        row = bisect_right(starts, match.start()) - 1
        at = bisect_left(rows, row, at)
        if match.end() > ends[row]:  # this pattern runs across lines: from here on entry by entry
            found.extend(row for row in rows[at:] if search(content, starts[row], ends[row]))
            break
        if at < len(rows) and rows[at] == row:
            found.append(row)
            at += 1
    return np.frombuffer(found, np.int64) if found else np.empty(0, np.int64)

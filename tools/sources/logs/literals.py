"""Where in a block of bytes a pattern could match: places of text that every match must hold. Decides nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import numpy as np
from numpy.typing import NDArray

GRAM = 4  # bytes that are compared at once
MOST = 8  # alternatives; for more a scan by the pattern itself is as fast
_COMMON = b" etaoinsrhldcu_0123456789mpgf"  # bytes that stand in every line; a gram of rarer ones is looked for
_LOWER = 0x20  # ORed in, ASCII letters become small ones; what else changes is sorted out by the pattern


class Prefilter:
    """One literal of each alternative of a pattern, as the four bytes of it that are looked for."""

    def __init__(self, literals: Sequence[bytes], ignore_case: bool):
        self._ignore_case = ignore_case
        grams = [_rarest(one) for one in literals]
        folded = [bytes(byte | _LOWER for byte in gram) if ignore_case else gram for gram in grams]
        self._grams = [np.uint32(int.from_bytes(gram, "little")) for gram in folded]

    def places(self, block: bytes) -> NDArray[np.int64]:
        """Rising offsets at which one of the grams stands."""
        text = np.frombuffer(block, np.uint8)
        if self._ignore_case:
            text = text | np.uint8(_LOWER)
        found = []
        for shift in range(min(GRAM, max(len(block) - GRAM + 1, 0))):
            words = text[shift : shift + (len(block) - shift) // GRAM * GRAM].view("<u4")
            for gram in self._grams:
                is_there = words == gram
                if np.count_nonzero(is_there):
                    found.append(np.flatnonzero(is_there) * GRAM + shift)
        return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)


def _rarest(literal: bytes) -> bytes:
    """The GRAM bytes of it that common lines are least likely to hold."""
    grams = [literal[at : at + GRAM] for at in range(len(literal) - GRAM + 1)]
    return max(grams, key=lambda gram: sum(_COMMON.find(byte) % 64 for byte in gram.lower()))


def prefilter_for(pattern: str, ignore_case: bool) -> Prefilter | None:
    """None where the pattern has an alternative without a literal of GRAM bytes that each match of it must hold."""
    if "[:" in pattern:  # [[:alpha:]] is something else to Python
        return None
    try:
        parsed = _parser.parse(pattern)
    except (re.error, RecursionError, OverflowError):  # RE2 knows syntax that Python does not
        return None
    literals = _required(parsed)
    if not literals or len(literals) > MOST:
        return None
    return Prefilter(literals, ignore_case or bool(parsed.state.flags & re.IGNORECASE))


def _required(parsed: Any) -> list[bytes] | None:
    """For a sequence: its longest run of plain characters, or the literals of a branch in it."""
    best: list[bytes] | None = None
    run = b""
    for code, value in [*parsed, (None, None)]:
        if code is ops.LITERAL and value < 0x80:
            run += bytes([value])
            continue
        if len(run) >= GRAM and (best is None or len(run) > min(map(len, best))):
            best = [run]
        run = b""
        inner = _inside(code, value)
        if best is None and inner is not None:
            best = inner
    return best


def _inside(code: Any, value: Any) -> list[bytes] | None:
    if code is ops.SUBPATTERN and not value[1] and not value[2]:  # no flags of its own
        return _required(value[3])
    if code is ops.BRANCH:
        parts = [_required(part) for part in value[1]]
        return None if any(part is None for part in parts) else [one for part in parts for one in part or ()]
    return None

"""How two texts differ, as pieces that a page marks. Pure; no HTML here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

_PIECES = re.compile(r"\s+|[^\W_]+|[^\w\s]|_")
WORDS_COMPARED = 4_000  # pieces on each side; longer texts are compared line by line

Kind = Literal["same", "gone", "new"]


@dataclass(frozen=True, slots=True)
class Piece:
    kind: Kind
    text: str


def differences(before: str, after: str) -> list[Piece]:
    """Both texts in one: the pieces that are not `new` make `before`, those that are not `gone` make `after`."""
    old, new = _split(before), _split(after)
    if max(len(old), len(new)) > WORDS_COMPARED:
        old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    pieces: list[Piece] = []
    for tag, a1, a2, b1, b2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append(Piece("same", "".join(old[a1:a2])))
            continue
        pieces += [Piece("gone", "".join(old[a1:a2]))] if a2 > a1 else []
        pieces += [Piece("new", "".join(new[b1:b2]))] if b2 > b1 else []
    return pieces


def _split(text: str) -> list[str]:
    return _PIECES.findall(text)

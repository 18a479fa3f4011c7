"""Masks what varies in a message, so that lines of one kind count together. Mining of templates is tools/analysis."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MASKED_LENGTH = 400
CHUNK = 2**18  # fits the processor's cache: several passes over it then cost little more than one
REACH = 8  # letters of a hexadecimal id in a row; longer rows are rare, and leave one more kind

# One pass: identifiers before numbers, or a number would be cut out of them.
_VARYING = re.compile(
    r"(?P<uuid>\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b)"
    r"|(?P<mac>\b[0-9a-fA-F]{2}(?:[:-][0-9a-fA-F]{2}){5,}\b)"
    r"|(?P<time>\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)"
    r"|(?P<ip>\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b(?::\d+)?)"
    r"|(?P<hex>\b0x[0-9a-fA-F]+\b|\b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{6,}\b)"
    r"|(?P<n>(?<![A-Za-z])-?\d+(?:[.,:]\d+)*|\d+)"
)
_DIGIT, _HEX = 1, 2
_CLASSES = bytes(
    _DIGIT if code in b"0123456789" else _HEX if code in b"abcdefABCDEF-" else 0 for code in range(256)
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kinds:
    """Messages by kind: the kind of each, and of each kind the first message that is of it."""

    of: list[int]
    firsts: list[int]


def template_of(message: str) -> str:
    """The message with numbers, times, addresses and ids masked as <n>, <time>, <ip>, <hex>, <uuid>, <mac>."""
    return _VARYING.sub(_mask, message[:MASKED_LENGTH].split("\n", 1)[0])


def _mask(match: re.Match[str]) -> str:
    return f"<{match.lastgroup}>"


def kinds_of(messages: Sequence[str]) -> Kinds:
    """Messages that differ only in digits, or in the letters of hexadecimal ids, are of one kind.

    Far cheaper than `template_of` on each (about a million messages a second), and finer: kinds may share a template.
    """
    text = "\n".join(messages)
    if text.count("\n") >= len(messages):  # a message of several lines speaks by its first
        text = "\n".join(message.split("\n", 1)[0] for message in messages)
    keys = _without_ids(text.encode("utf-8", "replace")).split(b"\n") if messages else []
    firsts = dict(zip(reversed(keys), range(len(keys) - 1, -1, -1), strict=True))
    numbers = {key: number for number, key in enumerate(firsts)}
    return Kinds(list(map(numbers.__getitem__, keys)), list(firsts.values()))


def _without_ids(lines: bytes) -> bytes:
    parts, at = [], 0
    while at <= len(lines):
        end = lines.find(b"\n", at + CHUNK)
        end = len(lines) if end < 0 else end
        parts.append(_shapes(lines[at:end]))
        at = end + 1
    return b"\n".join(parts)


def _shapes(lines: bytes) -> bytes:
    """The lines without digits and without the hexadecimal letters that hang together with one."""
    if not lines:
        return lines
    classes = np.frombuffer(lines.translate(_CLASSES), np.uint8)
    is_gone, is_hex = classes == _DIGIT, classes == _HEX
    for _ in range(REACH if is_gone.any() else 0):
        is_gone[1:] |= is_gone[:-1] & is_hex[1:]
        is_gone[:-1] |= is_gone[1:] & is_hex[:-1]
    kept: bytes = np.frombuffer(lines, np.uint8)[~is_gone].tobytes()
    return kept

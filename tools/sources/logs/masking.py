"""Masks what varies in a message, so that lines of one kind count together. Mining of templates is tools/analysis."""

from __future__ import annotations

import re

MASKED_LENGTH = 400

# One pass: identifiers before numbers, or a number would be cut out of them.
_VARYING = re.compile(
    r"(?P<uuid>\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b)"
    r"|(?P<time>\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)"
    r"|(?P<ip>\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b(?::\d+)?)"
    r"|(?P<hex>\b0x[0-9a-fA-F]+\b|\b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,}\b)"
    r"|(?P<n>(?<![A-Za-z])-?\d+(?:[.,:]\d+)*)"
)


def template_of(message: str) -> str:
    """The message with numbers, times, addresses and ids masked as <n>, <time>, <ip>, <hex>, <uuid>."""
    return _VARYING.sub(_mask, message[:MASKED_LENGTH].split("\n", 1)[0])


def _mask(match: re.Match[str]) -> str:
    return f"<{match.lastgroup}>"

"""Takes secrets out of text before it is stored, shown or sent: matched on shape, replaced by `«redacted:rule»`.

Rules follow gitleaks' most common shapes (MIT) plus our own for URLs, headers and assignments; all are RE2, so no input
can make them slow.
"""

from __future__ import annotations

import json
from typing import Any

import re2

_RULES: list[tuple[str, str, int]] = [
    # (name, pattern, the group that is secret)
    ("private-key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----", 0),
    ("url-password", r"[a-zA-Z][a-zA-Z0-9+.-]{1,20}://[^\s:/@]{0,80}:([^\s@/]{1,200})@", 1),
    ("authorization", r"(?i)\bauthorization[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic|token)\s+)?([^\s\"',;]{4,})", 1),
    ("bearer", r"(?i)\b(?:bearer|basic)\s+([A-Za-z0-9+/=_.~-]{16,})", 1),
    ("cookie", r"(?i)\b(?:set-)?cookie[\"']?\s*[:=]\s*[\"']?([^\s\"']{4,}(?:;\s*[^\s\"';]+=[^\s\"';]+)*)", 1),
    ("anthropic-key", r"\bsk-ant-[A-Za-z0-9_-]{16,}", 0),
    ("openai-key", r"\bsk-[A-Za-z0-9]{20,}", 0),
    ("aws-key-id", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", 0),
    ("github-token", r"\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_[A-Za-z0-9_]{40,}", 0),
    ("gitlab-token", r"\bglpat-[A-Za-z0-9_-]{20,}", 0),
    ("slack-token", r"\bxox[abprs]-[A-Za-z0-9-]{10,}", 0),
    ("google-key", r"\bAIza[A-Za-z0-9_-]{35}\b", 0),
    ("stripe-key", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}", 0),
    ("opspilot-token", r"\bops_[0-9a-f]{8}_[A-Za-z0-9_-]{20,}", 0),
    ("jwt", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}", 0),
    (
        "assignment",
        r"(?i)\b[a-z0-9_.-]{0,40}(?:password|passwd|pwd|secret|api[_-]?key|access[_-]?key|auth[_-]?token|access[_-]?token)"
        r"[\"']?\s*[:=]\s*[\"']?([^\s\"',;&<>«]{4,200})",
        1,
    ),
]
_COMPILED = [(name, re2.compile(pattern), group) for name, pattern, group in _RULES]
# One cheap look decides whether the rules run at all: nearly every line has none of these.
_HINT = re2.compile(
    r"(?i)private key|://[^\s/]*:[^\s/]*@|authorization|bearer|basic |cookie|sk-|AKIA|ASIA|gh[pousr]_|github_pat|glpat"
    r"|xox|AIza|[rs]k_(?:live|test)|ops_|eyJ|passw|pwd|secret|api[_-]?key|access[_-]?key|[_-]?token"
)


def redact(text: str) -> str:
    """The text without secrets. Idempotent; text without any is returned as it is."""
    if not _HINT.search(text):
        return text
    for name, pattern, group in _COMPILED:
        text = pattern.sub(lambda match, n=name, g=group: _replaced(match, n, g), text)
    return text


def _replaced(match: Any, name: str, group: int) -> str:
    whole, start = str(match.group(0)), match.start(0)
    if whole[match.start(group) - start :].startswith("«redacted:"):
        return whole
    return whole[: match.start(group) - start] + f"«redacted:{name}»" + whole[match.end(group) - start :]


def redact_json(value: Any) -> Any:
    """Every string inside a JSON value, keys too, without secrets. A value without any is returned as it is."""
    # No hint is split or hidden by JSON's escapes, so one look at the whole text does for all of its strings.
    return _redacted(value) if _HINT.search(json.dumps(value, ensure_ascii=False, default=str)) else value


def _redacted(value: Any) -> Any:
    match value:
        case str():
            return redact(value)
        case dict():
            return {redact(key): _redacted(item) for key, item in value.items()}
        case list():
            return [_redacted(item) for item in value]
        case _:
            return value

"""Counts tokens and plays the prompt cache of the stand-in: by exact bytes, in the order tools, system, messages."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from typing import Any

MIN_CACHED_TOKENS = 512
LOOK_BACK = 20  # blocks before a breakpoint in which an earlier entry is found


def tokens_of(text: str) -> int:
    """About right for English and JSON, and the same at every run, which is what a stand-in needs."""
    return -(-len(text.encode()) // 4)


class PromptCache:
    """Prefixes that were written, by hash. Entries do not lapse: the stand-in has no clock."""

    def __init__(self) -> None:
        self._written: set[str] = set()
        self._lock = threading.Lock()

    def count(self, body: dict[str, Any]) -> dict[str, int]:
        """The input side of `usage` for one request, which also writes the cache."""
        marks = list(_marks(body))
        total = marks[-1][1] if marks else 0
        with self._lock:
            read = self._longest_read(marks)
            written = read
            for digest, tokens, is_breakpoint in marks:
                if is_breakpoint and tokens >= MIN_CACHED_TOKENS:
                    self._written.add(digest)
                    written = max(written, tokens)
        return {
            "input_tokens": total - written,
            "cache_creation_input_tokens": written - read,
            "cache_read_input_tokens": read,
        }

    def _longest_read(self, marks: list[tuple[str, int, bool]]) -> int:
        for index in [index for index, mark in enumerate(marks) if mark[2]][::-1]:
            for digest, tokens, _ in marks[max(0, index - LOOK_BACK) : index + 1][::-1]:
                if digest in self._written:
                    return tokens
        return 0


def _marks(body: dict[str, Any]) -> Iterator[tuple[str, int, bool]]:
    """After each block: hash of all bytes so far, tokens so far, and whether a breakpoint stands there."""
    running = hashlib.sha256(body["model"].encode())
    tokens = 0
    for role, block in _parts(body):
        text = json.dumps([role, _bare(block)], ensure_ascii=False)
        running.update(text.encode("utf-8", "replace"))
        tokens += tokens_of(text)
        yield running.hexdigest(), tokens, "cache_control" in block


def _parts(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for tool in body.get("tools", []):
        yield "tool", tool
    for block in as_blocks(body.get("system", [])):
        yield "system", block
    for message in body["messages"]:
        for block in as_blocks(message["content"]):
            yield message["role"], block


def as_blocks(content: Any) -> list[dict[str, Any]]:
    """Content as blocks: a string is short for one block of text."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _bare(block: dict[str, Any]) -> dict[str, Any]:
    """A block as the cache compares it: moving a breakpoint does not change the prefix."""
    return {name: value for name, value in block.items() if name != "cache_control"}

"""Prompt tokens as they are billed: those written to the cache or read from it, in tokens that are neither."""

from __future__ import annotations

WRITTEN, READ = 1.25, 0.1


def billed(fresh: int, written: int, read: int) -> float:
    return fresh + WRITTEN * written + READ * read

"""Runs another program: a list of words, no shell, a clean environment, an end to time and output. Knows no tool."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from tools.base import ToolError

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CLEAN = {"PATH": PATH, "LANG": "C.UTF-8", "TZ": "UTC"}


@dataclass(frozen=True, slots=True)
class Ended:
    """`code` is 0 where the program was ended because it had said enough."""

    output: bytes
    code: int
    is_cut: bool


def run_words(
    words: Sequence[str], timeout_s: float, limit: int, env: Mapping[str, str] | None = None, errors: bool = True
) -> Ended:
    """What it printed, up to the limit; then it is ended, with all that it started. `errors`: its stderr too.

    Raises ToolError where it does not start, TimeoutError where it does not end in time.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - a list of words; who gives values has checked them
            list(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if errors else subprocess.DEVNULL, start_new_session=True, cwd="/",
            env={**CLEAN, **(env or {})},
        )  # fmt: skip
    except OSError as error:
        raise ToolError(f"{words[0]} does not start: {error.strerror or error}") from None
    try:
        output, is_whole = _read(process, time.monotonic() + timeout_s, limit)
        if not is_whole and len(output) <= limit:
            raise TimeoutError(f"{words[0]} ran longer than {timeout_s:g} s and was ended")
        code = process.wait(5) if is_whole else 0
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return Ended(output[:limit], code, not is_whole)


def _read(process: subprocess.Popen[bytes], deadline: float, limit: int) -> tuple[bytes, bool]:
    """The output, and whether it came to its end before limit and deadline."""
    assert process.stdout is not None  # noqa: S101 - it was asked for
    found = bytearray()
    with process.stdout, selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0 and len(found) <= limit:
            if selector.select(left):
                chunk = os.read(process.stdout.fileno(), 65_536)
                if not chunk:
                    return bytes(found), True
                found += chunk
    return bytes(found), False

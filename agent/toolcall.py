"""One call in a child process: what is asked, the child that serves it, and how it ended. Starting is the host's."""

from __future__ import annotations

import os
import selectors
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from agent.jsonclean import clean
from agent.toolwire import ContextSpec, FrameError, Frames, pack_stored, unpack_result
from tools.base import Status, Stored, ToolError, ToolResult

START_S = 30.0  # importing every tool, on a busy machine
LAST_WORDS_S = 2.0  # how long the template may take to report a dead child's exit code

Ended = Literal["returned", "refused", "raised", "out_of_memory", "timed_out", "crashed"]


@dataclass(frozen=True, slots=True)
class HostedCall:
    """One call to run. `evidence` is asked in the caller's thread; a name it does not know raises ToolError."""

    tool: str
    args: dict[str, Any]
    context: ContextSpec
    timeout_s: float
    evidence: Callable[[str], Stored]


@dataclass(frozen=True, slots=True)
class CallEnd:
    """How a call ended, always with a result to record. Never repeated by the host."""

    result: ToolResult
    ended: Ended
    duration_ms: int

    @property
    def is_certain(self) -> bool:
        """False where a write may or may not have reached the other side before its process was lost."""
        return self.ended in ("returned", "refused")


class Child:
    """One child process of the template, as seen through its socket and its status pipe."""

    def __init__(self, sock: socket.socket, status_fd: int):
        self.frames = Frames(sock)
        self._status = os.fdopen(status_fd, "rb", buffering=0)
        first = self._status_line(START_S)
        if not first:
            self.close()
            raise EOFError
        self._pid = int(first)

    def is_alive(self) -> bool:
        """Whether an idle child still waits for a call: an end of file would make its socket readable."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.frames.sock, selectors.EVENT_READ)
            return not selector.select(0)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        """The child ends when it next reads; the template kills it if it is busy."""
        self.frames.sock.close()
        self._status.close()

    def exit_words(self) -> str:
        reported = self._status_line(LAST_WORDS_S)
        if not reported:
            return "exit unknown"
        code = int(reported)
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit {code}"

    def _status_line(self, wait_s: float) -> bytes:
        """The next line of the status pipe; empty when it ended or nothing came in time."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._status, selectors.EVENT_READ)
            return self._status.readline() if selector.select(wait_s) else b""


@dataclass(eq=False, slots=True)
class Running:
    """A call under way in its child."""

    index: int
    call: HostedCall
    child: Child
    started: float
    answer: dict[str, Any] | None = None

    @property
    def deadline(self) -> float:
        return self.started + self.call.timeout_s

    def send(self, message: dict[str, Any]) -> None:
        try:
            self.child.frames.send(clean(message))
        except OSError:
            self.answer = {"ended": "crashed"}

    def read(self) -> None:
        try:
            message = self.child.frames.pull()
        except (EOFError, OSError, FrameError):
            self.answer = {"ended": "crashed"}
            return
        if message is None:
            return
        if message["ended"]:
            self.answer = message
        else:
            self.send(self._evidence(message["evidence"]))

    def _evidence(self, name: str) -> dict[str, Any]:
        try:
            return pack_stored(self.call.evidence(name))
        except ToolError as error:
            return {"problem": str(error)}


def result_of(call: HostedCall, answer: dict[str, Any], memory_mb: int, exit_words: str) -> ToolResult:
    if answer["ended"] == "returned":
        return unpack_result(answer["result"])
    words = {
        "refused": answer.get("text", ""),
        "raised": f"{call.tool} failed inside: {answer.get('text', '')}",
        "out_of_memory": f"{call.tool} used more than {memory_mb:,} MB of memory and was stopped.",
        "timed_out": f"{call.tool} ran longer than {call.timeout_s:g} s and was stopped.",
        "crashed": f"{call.tool} crashed ({exit_words}).",
    }
    return ToolResult(status=Status.ERROR, summary=words[answer["ended"]])

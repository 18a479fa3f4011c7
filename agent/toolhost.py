"""Runs tools in child processes, so that a hung, crashing or greedy tool costs only its call.

The worker's side: starting, deadlines, respawning. What happens inside a child is in agent.toolprocess.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from agent.toolcall import LAST_WORDS_S, CallEnd, Child, HostedCall, Running, result_of
from agent.toolwire import pack_context
from tools.configuration import current

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent


class ToolHostError(RuntimeError):
    """The tool process cannot be started: a broken installation, not a tool's fault."""


class ToolHost:
    """A template process and its warm children. Safe to use from several threads, and after a fork of the worker."""

    def __init__(self, parallel: int = 4, memory_mb: int = 1024, most_children: int = 8):
        self.parallel = parallel  # children one `call_many` uses at once
        self._room = threading.BoundedSemaphore(most_children)  # busy ones, over all threads of the worker
        self.memory_mb = memory_mb
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._idle: list[Child] = []
        self._template: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(self) -> None:
        """Starts the template and returns at once; the first call waits until it is ready (about 0.3 s)."""
        self._end_template()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._template = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", "agent.toolprocess", str(theirs.fileno()), current().as_json()],
                cwd=ROOT,
                env=_clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # a tool that prints must not garble the command's own output
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._control = ours

    def stop(self) -> None:
        """Ends every child and, in the process that started it, the template. Safe to repeat."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()
            self._end_template()

    def call(self, call: HostedCall) -> CallEnd:
        return self.call_many([call])[0]

    def call_many(self, calls: Sequence[HostedCall]) -> list[CallEnd]:
        """Runs the calls side by side, `parallel` at most, and answers in their order. Each has its own deadline."""
        ends: dict[int, CallEnd] = {}
        waiting = deque(enumerate(calls))
        with selectors.DefaultSelector() as selector:
            running: list[Running] = []
            try:
                while waiting or running:
                    # Only the first call waits for room: whoever waited while its own calls ran would starve them.
                    while waiting and len(running) < self.parallel and self._room.acquire(blocking=not running):
                        running.append(self._begin(*waiting.popleft(), selector))
                    for one in self._advance(running, selector):
                        running.remove(one)
                        selector.unregister(one.child.frames.sock)
                        self._room.release()
                        ends[one.index] = self._finish(one)
            finally:
                for one in running:  # only when the caller was interrupted
                    one.child.kill()
                    self._room.release()
        return [ends[index] for index in range(len(calls))]

    def _begin(self, index: int, call: HostedCall, selector: selectors.BaseSelector) -> Running:
        try:
            child = self._take_child()
        except ToolHostError:
            self._room.release()
            raise
        one = Running(index, call, child, started=time.monotonic())
        child.frames.sock.settimeout(call.timeout_s)
        one.send({"tool": call.tool, "args": call.args, "context": pack_context(call.context)})
        selector.register(child.frames.sock, selectors.EVENT_READ, one)
        return one

    def _advance(self, running: list[Running], selector: selectors.BaseSelector) -> list[Running]:
        """Waits for the next thing to happen and returns the calls that ended by it."""
        soonest = min(one.deadline for one in running)
        for key, _events in selector.select(max(0.0, soonest - time.monotonic())):
            key.data.read()
        now = time.monotonic()
        for one in running:
            if one.answer is None and one.deadline <= now:
                one.answer = {"ended": "timed_out"}
        return [one for one in running if one.answer is not None]

    def _finish(self, one: Running) -> CallEnd:
        answer = one.answer or {}
        exit_words = ""
        if answer["ended"] in ("returned", "refused", "raised"):
            self._give_back(one.child)
        elif answer["ended"] == "crashed":
            exit_words = one.child.exit_words()
            one.child.close()
        else:
            one.child.kill()
        if "traceback" in answer:
            logger.error("%s failed inside:\n%s", one.call.tool, answer["traceback"])
        return CallEnd(
            result=result_of(one.call, answer, self.memory_mb, exit_words),
            ended=answer["ended"],
            duration_ms=round((time.monotonic() - one.started) * 1000),
        )

    def _take_child(self) -> Child:
        with self._lock:
            self._forget_after_fork()
            while self._idle:
                child = self._idle.pop()
                if child.is_alive():
                    return child
                child.close()
            try:
                return self._spawn()
            except (OSError, EOFError):  # the template is gone; nothing was sent to a tool yet
                self.start()
            try:
                return self._spawn()
            except (OSError, EOFError) as error:
                raise ToolHostError("The tool process does not start; its own message stands above.") from error

    def _give_back(self, child: Child) -> None:
        with self._lock:
            if len(self._idle) < self.parallel:
                self._idle.append(child)
                return
        child.close()

    def _spawn(self) -> Child:
        if self._control is None:
            raise EOFError
        ours, theirs = socket.socketpair()
        status_read, status_write = os.pipe()
        try:
            message = json.dumps({"memory_bytes": self.memory_mb << 20}).encode()
            socket.send_fds(self._control, [message], [theirs.fileno(), status_write])
        finally:
            theirs.close()
            os.close(status_write)
        return Child(ours, status_read)

    def _end_template(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._template is not None and self._owner == os.getpid():
            _wait_or_kill(self._template)
        self._template = None

    def _forget_after_fork(self) -> None:
        """A forked worker shares the template, but must not share children: two callers on one socket."""
        if self._owner != os.getpid():
            self._owner = os.getpid()
            self._template = None  # the process that started it waits for it
            while self._idle:
                self._idle.pop().close()


def _clean_environment() -> dict[str, str]:
    """No secret of the worker's reaches a tool; numeric libraries start no threads before the template forks."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),  # finds the tools that this process finds
        "PYTHONUTF8": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _wait_or_kill(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(LAST_WORDS_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


__all__ = ["CallEnd", "HostedCall", "ToolHost", "ToolHostError"]

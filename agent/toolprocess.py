"""The processes in which tools run: a template that forks children on demand, and the child that serves calls.

Started by agent.toolhost as `python -m agent.toolprocess FD CONFIGURATION` with a clean environment. The template has
one thread, all tools imported and no connection, so a fork is safe and takes milliseconds; a child keeps its parsed
sources between calls. Nothing here outlives the worker: the template ends when the worker's end of its socket closes,
a child when its caller's does.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any

from agent.jsonclean import clean_text
from agent.toolwire import ContextSpec, Frames, pack_result, unpack_context, unpack_stored
from tools import registry
from tools.base import Stored, ToolContext, ToolError
from tools.configuration import configure, from_json
from tools.sources import SourceSet, SourceSpec

PR_SET_PDEATHSIG = 1
MAX_ERROR_TEXT = 2_000


def main(control_fd: int, configuration: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the worker's to answer
    configure(from_json(configuration))
    registry.all_tools()
    gc.freeze()  # keeps the collector from copying pages that children share
    Template(socket.socket(fileno=control_fd)).serve()
    os._exit(0)  # nothing is left to tidy, and DuckDB's binding lists "leaks" on stderr at a normal exit


class Template:
    """Forks a child for each message on the control socket, which carries the child's socket and status pipe.

    The status pipe gets the child's pid at once and its exit code at the end. A caller that dies closes its end, which
    the poll reports as an error: the child is then killed, however busy it is.
    """

    def __init__(self, control: socket.socket):
        self.control = control
        self.status_pipes: dict[int, int] = {}  # file descriptor → pid
        self.wake_read, self.wake_write = os.pipe()
        os.set_blocking(self.wake_write, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # with a handler, the number is written to the wake-up pipe
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        self.poll = select.poll()
        self.poll.register(control, select.POLLIN)
        self.poll.register(self.wake_read, select.POLLIN)

    def serve(self) -> None:
        while True:
            for fd, _event in self.poll.poll():
                if fd == self.wake_read:
                    os.read(fd, 512)
                elif fd in self.status_pipes:
                    os.kill(self.status_pipes[fd], signal.SIGKILL)
                elif fd == self.control.fileno() and not self._answer_control():
                    return
            self._reap()

    def _answer_control(self) -> bool:
        message, fds, _flags, _address = socket.recv_fds(self.control, 1024, 2)
        if not message:
            return False
        call_fd, status_fd = fds
        pid = os.fork()
        if pid == 0:
            self._become_child(call_fd, json.loads(message)["memory_bytes"])
        os.close(call_fd)
        self.status_pipes[status_fd] = pid
        self.poll.register(status_fd, 0)  # 0: errors only
        with suppress(BrokenPipeError):
            os.write(status_fd, f"{pid}\n".encode())
        return True

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self._report(*ended)

    def _report(self, pid: int, wait_status: int) -> None:
        for fd in [fd for fd, owner in self.status_pipes.items() if owner == pid]:
            with suppress(BrokenPipeError):
                os.write(fd, f"{os.waitstatus_to_exitcode(wait_status)}\n".encode())
            self.poll.unregister(fd)
            os.close(fd)
            del self.status_pipes[fd]

    def _become_child(self, call_fd: int, memory_bytes: int) -> None:
        """Never returns: a child must not run the template's code."""
        exit_code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            template = os.getppid()
            _die_with(template)
            os.closerange(3, call_fd)
            os.closerange(call_fd + 1, os.sysconf("SC_OPEN_MAX"))
            _limit_memory(memory_bytes)
            serve_calls(Frames(socket.socket(fileno=call_fd)))
            exit_code = 0
        finally:
            os._exit(exit_code)


def _die_with(parent: int) -> None:
    """Asks the kernel (Linux) to kill this process with its parent; elsewhere the closed socket ends it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _limit_memory(memory_bytes: int) -> None:
    """RLIMIT_DATA, not RLIMIT_AS: a log file mapped for reading is address space but costs no memory."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def serve_calls(frames: Frames) -> None:
    """Answers one call after another until the caller closes its end."""
    while (call := frames.receive()) is not None:
        frames.send(_answer(call, frames))


def _answer(call: dict[str, Any], frames: Frames) -> dict[str, Any]:
    """The tool's result, or how it failed. The broad except is the tools' border: their faults are values."""
    try:
        tool = registry.get(call["tool"])
        context = _context(unpack_context(call["context"]), lambda name: _ask_evidence(frames, name))
        result = tool.run(context, tool.params.model_validate(call["args"]))
        return {"ended": "returned", "result": pack_result(result)}
    except ToolError as error:
        return {"ended": "refused", "text": clean_text(str(error))[:MAX_ERROR_TEXT]}
    except MemoryError:
        return {"ended": "out_of_memory", "text": ""}
    except BaseException as error:  # SystemExit too: a tool must not end its process by an exception
        text = clean_text(f"{type(error).__name__}: {error}")[:MAX_ERROR_TEXT]
        return {"ended": "raised", "text": text, "traceback": clean_text(traceback.format_exc())}


def _context(spec: ContextSpec, evidence: Callable[[str], Stored]) -> ToolContext:
    return ToolContext(
        key=spec.key,
        as_of=spec.as_of,
        focus=spec.focus,
        sources=_open_sources(spec.sources),
        evidence=evidence,
        meta=spec.meta,
        tickets=spec.tickets,
    )


@lru_cache(maxsize=8)
def _open_sources(specs: tuple[SourceSpec, ...]) -> SourceSet:
    """Kept between calls: the second search of a run does not parse its files again."""
    return SourceSet(specs)


def _ask_evidence(frames: Frames, name: str) -> Stored:
    frames.send({"ended": "", "evidence": name})
    reply = frames.receive()
    if reply is None:
        raise EOFError("the caller is gone")
    if "problem" in reply:
        raise ToolError(reply["problem"])
    return unpack_stored(reply)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])

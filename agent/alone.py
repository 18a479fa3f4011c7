"""Processes that drive one run each, forked from a warm one: what a run gets after a process died with it.

The warm process is forked when a worker starts, before it has threads or connections. A fresh interpreter would cost
seconds a run, and after a killed worker there are as many runs to resume as it had slots.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1
Drive = Callable[[int], None]


class LoneDrivers:
    """The worker's end of the warm process. Its drivers outlive neither it nor, but for a last step, their worker."""

    def __init__(self) -> None:
        self._control: socket.socket | None = None

    def start(self, drive: Drive, stop: Callable[[], None]) -> None:
        """Fork the warm process. `stop` is called in a driver that should end at its next step."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork() == 0:
            ours.close()
            _serve(theirs, drive, stop)
        theirs.close()
        self._control = ours

    def drive(self, run_id: int) -> bool:
        """Drive the run; returns when its process has ended. False: there is no warm process here."""
        if self._control is None:
            return False
        ended, mark = os.pipe()
        try:
            socket.send_fds(self._control, [str(run_id).encode()], [mark])
        except OSError:
            os.close(ended)
            return False
        finally:
            os.close(mark)
        with os.fdopen(ended, "rb") as pipe:
            pipe.read()  # the driver holds the other end and writes nothing
        return True


def _serve(control: socket.socket, drive: Drive, stop: Callable[[], None]) -> None:
    """Never returns: this process must not run the worker's code. Ends with its worker, whose socket then closes."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a driver ended: its rows say so
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the worker's to answer
        while True:
            message, fds, _flags, _address = socket.recv_fds(control, 64, 1)
            if not message:
                break
            if os.fork() == 0:
                control.close()
                _drive(int(message), drive, stop)
            os.close(fds[0])
    finally:
        os._exit(0)


def _drive(run_id: int, drive: Drive, stop: Callable[[], None]) -> None:
    """Never returns. SIGTERM, which also comes when the warm process ends, is an orderly stop and no death."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, lambda *_: stop())
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        drive(run_id)
    finally:
        os._exit(0)

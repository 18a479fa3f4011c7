"""Keeps the processes of `up` and `demo` running until it is told to stop; then none of them is left."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from django.conf import settings

from opspilot_site.processes import Child, Program

TICK_S = 0.2
CODE = ("opspilot_site", "runs", "agent", "tools")

Say = Callable[[str], None]


class StartFailed(Exception):
    """A process did not come up; the text is for people."""


class Supervisor:
    """Starts programs in order, restarts what dies, stops everything in reverse order."""

    def __init__(self, say: Say, reload: bool = False):
        self._say = say
        self._children: list[Child] = []
        self._code = CodeWatch() if reload else None
        self.is_stopping = False

    def start(self, program: Program, is_ready: Callable[[], bool] | None = None, patience_s: float = 30) -> None:
        """Start a program and wait until it is ready. Raises StartFailed with its last words."""
        child = Child(program)
        self._children.append(child)
        child.start()
        deadline = time.monotonic() + patience_s
        while is_ready and not is_ready():
            if child.death() is not None or time.monotonic() > deadline:
                raise StartFailed(f"{program.name} does not start: {child.last_words()} (log: {program.log})")
            if self.is_stopping:
                return
            time.sleep(0.05)

    def watch(self, until: Callable[[], bool] = lambda: False) -> None:
        """Keep everything running until a signal comes or `until` says so."""
        while not self.is_stopping and not until():
            self.tick()
            time.sleep(TICK_S)

    def tick(self) -> None:
        """One look at every child: say who died, start who has rested long enough. Never waits."""
        for child in self._children:
            if (status := child.death()) is not None:
                self._say_death(child, status)
            if child.is_due:
                child.start()
        if self._code and self._code.has_changed():
            self._restart_code()

    def stop(self) -> None:
        """Stop what still runs, the last started first; everything is asked before anything is waited for."""
        self.is_stopping = True
        without_redis = [child for child in reversed(self._children) if child.program.has_code]
        for children in (without_redis, [child for child in self._children if not child.program.has_code]):
            for child in children:
                child.ask_to_stop()
            for child in children:
                child.stop()

    @contextmanager
    def signals(self) -> Iterator[None]:
        """SIGINT, SIGTERM and a closed terminal end `watch`; on the way out every process is stopped."""
        before = {number: signal.signal(number, self._on_signal) for number in _STOPPING}
        try:
            yield
        finally:
            self.stop()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.is_stopping = True

    def _say_death(self, child: Child, status: int) -> None:
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        words = f": {child.last_words()}" if status > 0 else ""
        self._say(f"{child.program.name} {how}{words}; starting it again in {child.pause:g} s ({child.program.log})")

    def _restart_code(self) -> None:
        self._say("The code changed: restarting.")
        children = [child for child in self._children if child.program.has_code]
        for child in children:
            child.ask_to_stop()
        for child in children:
            child.stop()
            child.start()


class CodeWatch:
    """Notices that a Python file of ours changed. Templates need no restart."""

    def __init__(self) -> None:
        self._seen = self._newest()
        self._next_look = 0.0

    def has_changed(self) -> bool:
        if time.monotonic() < self._next_look:
            return False
        self._next_look = time.monotonic() + 1
        before, self._seen = self._seen, self._newest()
        return before != self._seen

    def _newest(self) -> dict[Path, int]:
        files = (path for room in CODE for path in (settings.BASE_DIR / room).rglob("*.py"))
        return {path: path.stat().st_mtime_ns for path in files if path.exists()}


_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

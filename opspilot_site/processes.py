"""One supervised child process: how it starts, dies with its parent, is restarted and stopped."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

LOG_LIMIT = 5_000_000  # bytes; a longer log is set aside at the next start
SETTLED_S = 30  # a child that lived this long had a good start: its next death is the first again
MAX_PAUSE_S = 15

# Where this is not Linux, a supervisor that is killed with -9 leaves its children.
_prctl: Any = getattr(ctypes.CDLL(None), "prctl", None)


@dataclass(frozen=True, slots=True)
class Program:
    """What to run. `extra` is added to the environment; `has_code` programs restart when our code changes."""

    name: str
    argv: tuple[str, ...]
    extra: Mapping[str, str] = field(default_factory=dict)
    has_code: bool = True

    @property
    def log(self) -> Path:
        return Path(settings.DATA_DIR) / "logs" / f"{self.name.replace(' ', '-')}.log"


def manage(*words: str) -> tuple[str, ...]:
    """The command line of one of our own management commands."""
    return (sys.executable, str(settings.BASE_DIR / "manage.py"), *words)


class Child:
    """A running or resting Program."""

    def __init__(self, program: Program):
        self.program = program
        self.deaths = 0  # in a row
        self.starts_at = 0.0  # on the monotonic clock, while it rests
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        program = self.program
        program.log.parent.mkdir(parents=True, exist_ok=True)
        if program.log.exists() and program.log.stat().st_size > LOG_LIMIT:
            program.log.rename(program.log.with_suffix(".log.1"))
        prefix = ("env", *(f"{name}={value}" for name, value in program.extra.items())) if program.extra else ()
        with program.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  our own command lines
                (*prefix, *program.argv),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=settings.BASE_DIR,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops the others in order
                preexec_fn=_die_with(os.getpid()),
            )  # fmt: skip
        self._started = time.monotonic()

    def death(self) -> int | None:
        """The exit status, once, of a child that has just died; it then rests for a growing while."""
        if self._process is None or (status := self._process.poll()) is None:
            return None
        self._process = None
        lived = time.monotonic() - self._started
        self.deaths = 1 if lived > SETTLED_S else self.deaths + 1
        self.starts_at = time.monotonic() + self.pause
        return status

    @property
    def pause(self) -> float:
        """Seconds that it rests before its next start: the first time almost none."""
        return float(min(MAX_PAUSE_S, 0.25 * 2 ** (self.deaths - 1)))

    @property
    def is_due(self) -> bool:
        return self._process is None and time.monotonic() >= self.starts_at

    def ask_to_stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.terminate()

    def stop(self, patience_s: float = 8) -> None:
        """Wait for the end that was asked for, then force it, with whatever the child left behind in its session."""
        if self._process is None:
            return
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with suppress(ProcessLookupError):  # nothing was left
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process = None

    def last_words(self) -> str:
        """The last line of its log, for the terminal."""
        try:
            lines = self.program.log.read_bytes()[-2_000:].decode(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1][:200] if lines else ""


def _die_with(parent: int) -> Callable[[], None]:
    """What Popen calls in the new process: it shall end when its supervisor ends, however that happens."""

    def ask_the_kernel() -> None:
        if _prctl is not None:
            _prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
            if os.getppid() != parent:  # it died in between
                os._exit(1)

    return ask_the_kernel

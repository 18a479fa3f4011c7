"""At most two queries at once to one service, silence where it asked for some; shared by all processes of a machine.

Locks and marks are files: a process that is killed gives its turn back by dying.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

AT_ONCE = 2
LONGEST_SILENCE_S = 900.0  # of a Retry-After: a service that asks for a day gets asked again
POLL_S = 0.02


class NoTurn(Exception):
    """Nothing may be asked now, and why."""


@contextmanager
def turn(service: str, deadline: float) -> Iterator[None]:
    """Holds one of the service's turns. Waits for it until `deadline` (monotonic). Raises NoTurn."""
    stem = _folder() / hashlib.sha256(service.encode()).hexdigest()[:32]
    _refuse_while_silent(stem)
    descriptor = _wait(stem, deadline)
    try:
        _refuse_while_silent(stem)
        yield
    finally:
        os.close(descriptor)


def keep_silent(service: str, seconds: float) -> float:
    """Nobody asks the service for that long; answers for how long it really is."""
    seconds = min(max(seconds, 1.0), LONGEST_SILENCE_S)
    mark = _folder() / f"{hashlib.sha256(service.encode()).hexdigest()[:32]}.silent"
    fresh = mark.with_suffix(f".{os.getpid()}")
    fresh.write_text(str(time.time() + seconds))
    fresh.replace(mark)
    return seconds


def _refuse_while_silent(stem: Path) -> None:
    try:
        left = float(stem.with_suffix(".silent").read_text()) - time.time()
    except (OSError, ValueError):
        return
    if 0 < left <= LONGEST_SILENCE_S:
        raise NoTurn(f"it asked for silence (429), {left:.0f} s of which are left; nothing was sent")


def _wait(stem: Path, deadline: float) -> int:
    while True:
        for number in range(AT_ONCE):
            descriptor = os.open(stem.with_suffix(f".{number}"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
            else:
                return descriptor
        if time.monotonic() >= deadline:
            raise NoTurn(f"{AT_ONCE} queries of ours were under way all the time; nothing was sent")
        time.sleep(POLL_S)


def _folder() -> Path:
    """A folder of this user's own; another user's of that name would let them hold our turns."""
    folder = Path(tempfile.gettempdir()) / f"opspilot-turns-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    seen = folder.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid():
        raise NoTurn(f"{folder} belongs to somebody else")
    return folder

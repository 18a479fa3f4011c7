"""The ends of all chains, noted outside the database: an append-only file with a line whenever something has changed.

A line is JSON: the heads of the runs that moved since the line before, the installation's, the digest of the line
before, a mac under the audit key. Who can rewrite the database, and even holds the triggers' rights, cannot take a run
or the end of a chain away unseen, nor put an earlier copy in its place, while this file is kept elsewhere.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.db.models import Max
from django.utils import timezone

from runs.audit.chain import NoKey, canonical, digest, keyed, stamp
from runs.models import Installation, Run, Step

LINE_STEPS = 50_000  # ids of Steps that one line answers for at most: a long history is written line by line
LATE = 1_000  # ids before the last one are looked at again: a Step takes its id before its transaction commits
TAIL_BYTES = 65_536

Head = tuple[int, str]  # rows in the chain, and the mac of the last


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it was read; `number` counts from 1."""

    number: int
    events: Head
    heads: dict[int, Head]
    steps: int  # the highest Step id that it answers for
    previous: str  # the digest of the line before
    sha256: str


class BadLine(Exception):
    """The line is not one that was written here. `number` is its place in the file."""

    def __init__(self, number: int):
        super().__init__(f"line {number}")
        self.number = number


class HeadsWriter:
    """Writes what has changed since the file's last line. One per process; several processes are harmless."""

    def __init__(self, path: Path):
        self._path = path
        self._lately: dict[int, Head] = {}  # what this process wrote for ids that are looked at again

    def write(self) -> int:
        """Append lines until the file is up to date; returns how many. Raises OSError; BadLine for a bad last one."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(self._path) as file:
            last = _last_line(file)
            lines = 0
            while text := self._next(last):
                _append(file, text)
                last, lines = _read(text, last.number + 1 if last else 1), lines + 1
            return lines

    def _next(self, last: Line | None) -> str:
        """The next line's text; empty when the last one says it all."""
        done = last.steps if last else 0
        top = min(Step.objects.aggregate(top=Max("id"))["top"] or 0, done + LINE_STEPS)
        events: Head = Installation.objects.values_list("n_events", "head_mac").filter(pk=1).first() or (0, "")
        moved = Step.objects.filter(id__gt=done - LATE, id__lte=top).values("run")
        heads: dict[int, Head] = {
            run: (n, mac) for run, n, mac in Run.objects.filter(pk__in=moved).values_list("pk", "n_steps", "head_mac")
        }
        news = {run: head for run, head in heads.items() if self._lately.get(run) != head}
        self._lately = heads
        if last and not news and events == last.events and top == last.steps:
            return ""
        return _written(last, news, events, max(top, done))


def _written(last: Line | None, heads: dict[int, Head], events: Head, steps: int) -> str:
    """The text of a line, signed, without its end."""
    said = {
        "n": last.number + 1 if last else 1, "at": stamp(timezone.now()), "events": events, "steps": steps,
        "heads": {str(run): head for run, head in heads.items()}, "previous": last.sha256 if last else "",
        "key_id": settings.AUDIT_KEY_ID,
    }  # fmt: skip
    return canonical({**said, "mac": keyed(f"heads\n{canonical(said)}", settings.AUDIT_KEY_ID)})


def lines_of(path: Path) -> Iterator[Line]:
    """Each line in order, checked against its mac and the line before. Raises BadLine, OSError.

    A line that was cut short while it was written, by a crash or a full disk, is passed over: the next one follows
    the one before it.
    """
    number, previous, torn = 0, "", 0
    with path.open("rb") as file:
        for place, raw in enumerate(file, 1):
            line = _read(raw.decode("utf-8", "replace").rstrip("\n"), place)
            if line is None:
                torn = torn or place
            elif (line.number, line.previous) != (number + 1, previous):
                raise BadLine(torn or place)
            else:
                number, previous, torn = line.number, line.sha256, 0
                yield line
    if torn and raw.endswith(b"\n"):
        raise BadLine(torn)


def _read(text: str, place: int) -> Line | None:
    """None for what is not JSON. Raises BadLine for what is, and was not written here."""
    try:
        said: dict[str, Any] = json.loads(text)
    except ValueError:
        return None
    try:
        unsigned = {name: value for name, value in said.items() if name != "mac"}
        if keyed(f"heads\n{canonical(unsigned)}", said["key_id"]) != said["mac"] or canonical(said) != text:
            raise BadLine(place)
        heads: dict[int, Head] = {int(run): (n, mac) for run, (n, mac) in said["heads"].items()}
        n, mac = said["events"]
        return Line(said["n"], (n, mac), heads, said["steps"], said["previous"], digest(text))
    except (NoKey, KeyError, TypeError, AttributeError, ValueError):
        raise BadLine(place) from None


@contextmanager
def _locked(path: Path) -> Iterator[IO[bytes]]:
    with open(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "r+b", buffering=0) as file:  # noqa: PTH123
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _append(file: IO[bytes], text: str) -> None:
    start = "" if _ends_whole(file) else "\n"
    raw = f"{start}{text}\n".encode()
    if os.write(file.fileno(), raw) != len(raw):
        raise OSError("the disk is full: the line was cut short")
    os.fsync(file.fileno())


def _ends_whole(file: IO[bytes]) -> bool:
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        return True
    file.seek(size - 1)
    return file.read(1) == b"\n"


def _last_line(file: IO[bytes]) -> Line | None:
    """The last whole line, read from the end. Raises BadLine where it is not ours."""
    size = file.seek(0, os.SEEK_END)
    wanted = TAIL_BYTES
    while True:
        start = max(0, size - wanted)
        file.seek(start)
        lines = file.read(size - start).split(b"\n")
        whole = lines if start == 0 else lines[1:]
        for raw in reversed(whole):
            if raw and (line := _read(raw.decode("utf-8", "replace"), 0)):
                return line
        if start == 0:
            return None
        wanted *= 4

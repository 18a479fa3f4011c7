"""Prints a run's Steps as they are committed: from the same process, or from beside it in a thread."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from django.conf import settings
from django.db import connection

from opspilot_site.terminal import Look, Stream
from runs.models import Approval, Run, Step

POLL_S = 0.15


def look_of(file: TextIO) -> Look:
    """Width and colour for a terminal; for a pipe neither."""
    if not file.isatty():
        return Look()
    return Look(shutil.get_terminal_size((100, 24)).columns, colour=not settings.NO_COLOUR)


class Follower:
    """One run's stream, printed to a file. `catch_up` prints what is new and never twice."""

    def __init__(self, run_id: int, file: TextIO = sys.stderr, url: str = settings.PUBLIC_URL):
        self._run_id = run_id
        self._file = file
        self._url = url
        self._seen = 0
        self._stream = Stream(look_of(file), _approval, self._decide_at)

    def catch_up(self) -> None:
        for step in Step.objects.filter(run_id=self._run_id, seq__gt=self._seen).order_by("seq"):
            for line in self._stream.lines(step):
                self._file.write(f"{line}\n")
            self._file.flush()
            self._seen = step.seq

    def run(self) -> Run:
        run: Run = Run.objects.get(pk=self._run_id)
        return run

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Follow from a thread with a connection of its own while the caller drives; ends with everything printed."""
        is_over = threading.Event()

        def poll() -> None:
            try:
                while not is_over.wait(POLL_S):
                    self.catch_up()
            finally:
                connection.close()

        thread = threading.Thread(target=poll, name=f"follow-{self._run_id}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join(timeout=5)
            self.catch_up()

    def _decide_at(self, approval: Approval) -> str:
        page = f"{self._url}/approvals/{approval.pk}"
        if approval.is_question:
            return f"{page}    or   ./opspilot approve {approval.pk} (it happened), deny {approval.pk} (it did not)"
        return f"{page}    or   ./opspilot approve {approval.pk}"


def _approval(number: int) -> Approval:
    return Approval.objects.get(pk=number)

"""Drives one run in this very process, without Redis: what `investigate` does after it has made its run."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Thread
from types import FrameType

from django.db import connection
from django.utils import timezone

from agent.jobs import drive_leased, tool_host
from runs.models import Run
from runs.services.leases import Lease, claim_run
from runs.services.subruns import under_way

OWNER = f"{os.uname().nodename}:{os.getpid()}:investigate"


class Interrupt:
    """Ctrl-C: the first stops the drive at its next step, a second one ends the process at once."""

    def __init__(self) -> None:
        self.came = False

    @contextmanager
    def caught(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.came:
            raise KeyboardInterrupt
        self.came = True


def drive_to_rest(run: Run, interrupt: Interrupt) -> Run:
    """Drive a run that was created leased to OWNER until it waits for a person, ends, or is interrupted.

    A retry after a fault of the model's API is waited for here, since nobody else may be running.
    """
    lease: Lease | None = Lease(run.pk, run.lease_epoch, OWNER)
    try:
        while not interrupt.came:
            if lease is not None:
                drive_leased(lease, should_stop=lambda: interrupt.came)
            run.refresh_from_db()
            if run.waits_for_sub_runs:
                _drive_sub_runs(run, interrupt)
                run.refresh_from_db()
            if not run.is_active or (run.hold_reason and run.hold_until is None):
                break
            _sleep_until(run.hold_until, interrupt)
            lease = claim_run(run.pk, OWNER)
    finally:
        tool_host().stop()
    run.refresh_from_db()
    return run


def _drive_sub_runs(run: Run, interrupt: Interrupt) -> None:
    """Side by side, as workers do, unless somebody else drives them. A second Ctrl-C waits for none of them."""
    while (waiting := list(under_way(run))) and not interrupt.came:
        threads = [Thread(target=_drive_sub_run, args=(child.pk, interrupt), daemon=True) for child in waiting]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        time.sleep(0.2)


def _drive_sub_run(run_id: int, interrupt: Interrupt) -> None:
    try:
        if lease := claim_run(run_id, OWNER):
            drive_leased(lease, should_stop=lambda: interrupt.came)
    finally:
        connection.close()  # this thread's own


def _sleep_until(moment: datetime | None, interrupt: Interrupt) -> None:
    time.sleep(0.2)  # also where another process drives it, until that one is done
    while moment and timezone.now() < moment and not interrupt.came:
        time.sleep(0.2)

"""The entries to a drive: the job that a worker runs, and the one a command runs in process.

Both claim, keep the lease alive beside the work, and map what escapes to a state of the run.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable
from functools import cache

from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from agent.errors import PlannerFault
from agent.loop import Outfit, drive
from agent.planners import planner_for
from agent.toolhost import ToolHost
from runs import queue
from runs.models import Run
from runs.services import drive as record
from runs.services.append import Overtaken
from runs.services.leases import Lease, claim_run, release_lease, renew_lease

YIELD_AFTER_S = 20.0  # a drive that took this long lets others have the worker, at a Step boundary
log = logging.getLogger(__name__)


def drive_run(run_id: int) -> None:
    """Drive one run until it waits, ends, or others waited long enough. Idempotent: without the lease it returns."""
    lease = claim_run(run_id, f"{os.uname().nodename}:{os.getpid()}:{uuid.uuid4().hex[:8]}")
    if lease is None:
        return
    started = time.monotonic()
    drive_leased(lease, should_stop=lambda: queue.is_stopping() or _others_wait(started))
    run = Run.objects.get(pk=run_id)
    if run.is_active and not run.is_held(timezone.now()):
        queue.enqueue_run(run_id)


def _others_wait(started: float) -> bool:
    return time.monotonic() - started > YIELD_AFTER_S and bool(queue.pending_jobs())


def drive_leased(
    lease: Lease,
    should_stop: Callable[[], bool] = lambda: False,
    on_text: Callable[[str], None] = lambda text: None,
) -> None:
    """Drive a run whose lease is held. Whatever escapes ends it as FAILED, with the traceback in the log only."""
    run = Run.objects.get(pk=lease.run_id)
    with Heartbeat(lease) as heartbeat:
        try:
            outfit = Outfit(planner_for(run.planner, run.model), tool_host(), heartbeat.watch, on_text, should_stop)
            drive(run, lease, outfit)
        except PlannerFault as fault:
            _fail(lease, fault.code, str(fault))
        except (DatabaseError, Overtaken):
            # The database is away or busy: nothing is lost, the reconciler finds the run when the lease lapses.
            log.exception("run %s stopped at its last committed step", lease.run_id)
        except Exception:  # the one broad except of the product: our fault must not take the worker down
            log.exception("run %s failed by a fault of ours", lease.run_id)
            _fail(
                lease,
                "internal_error",
                "OpsPilot itself failed; the log has the details. Nothing outside was changed by it.",
            )
    release_lease(lease)


def _fail(lease: Lease, code: str, message: str) -> None:
    run = Run.objects.get(pk=lease.run_id)
    if run.is_active and run.lease_epoch == lease.epoch:
        record.fail(run, lease, code, message)


@cache
def tool_host() -> ToolHost:
    """This process's tool children, started at the first use and ended with it."""
    host = ToolHost()
    host.start()
    return host


class Heartbeat:
    """Renews the lease from a thread with a connection of its own, while the current wait is within its deadline.

    A drive that hangs past its deadline loses the lease on purpose: another worker takes over, and the epoch fences
    this one out.
    """

    def __init__(self, lease: Lease):
        self._lease = lease
        self._deadline = time.monotonic() + settings.LEASE_S
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat-{lease.run_id}", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join(timeout=5)

    def watch(self, deadline_s: float) -> None:
        """What is about to be waited for ends within `deadline_s`; keep the lease until then and a little longer."""
        self._deadline = time.monotonic() + deadline_s + settings.LEASE_S

    def _beat(self) -> None:
        try:
            while not self._over.wait(settings.HEARTBEAT_S):
                if time.monotonic() > self._deadline or not self._renewed():
                    return
        finally:
            connection.close()

    def _renewed(self) -> bool:
        try:
            return renew_lease(self._lease)
        except DatabaseError:
            log.warning("run %s: the lease could not be renewed; trying again", self._lease.run_id)
            return True

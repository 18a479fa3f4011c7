"""The entries to a drive: the job that a worker runs, one run in a process of its own, and one that a command holds.

All claim, keep the lease alive beside the work, and map what escapes to a state of the run.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from functools import cache, partial

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from agent.alone import LoneDrivers
from agent.errors import PlannerFault
from agent.loop import Outfit, drive
from agent.planners import planner_for
from agent.toolhost import ToolHost
from runs import clock, live, queue
from runs.models import Run
from runs.services import drive as record
from runs.services.append import Overtaken
from runs.services.halt import is_halted
from runs.services.leases import POISON, Lease, claim_run, give_back, keeper
from runs.services.subruns import let_parent_go_on
from runs.states import TERMINAL

YIELD_AFTER_S = 20.0  # a drive that took this long lets others have the slot, at a Step boundary
log = logging.getLogger(__name__)
lone_drivers = LoneDrivers()


def drive_run(run_id: int) -> None:
    """Drive one run until it waits, ends, or others waited long enough. Idempotent: without the lease it returns.

    A run during which a process died is driven in a process of its own, so that it can take nobody with it again.
    """
    if lease := claim_run(run_id, _owner()):
        _drive_claimed(lease)
    elif Run.objects.filter(pk=run_id, must_be_alone=True, lease_owner="").exists():
        connection.close()  # this thread only waits now
        _drive_in_own_process(run_id)


def _drive_in_own_process(run_id: int) -> None:
    if not lone_drivers.drive(run_id):
        subprocess.run([sys.executable, "manage.py", "drive", str(run_id)], cwd=settings.BASE_DIR, check=False)  # noqa: S603


def make_ready() -> None:
    """What a worker calls once before its first job, while it has no threads yet: here are the forks."""
    tool_host()
    lone_drivers.start(drive_alone, queue.stop)


def drive_alone(run_id: int) -> None:
    """Drive one run in this process, which does nothing else."""
    if lease := claim_run(run_id, _owner(), alone=True):
        _drive_claimed(lease)


def _owner() -> str:
    return f"{os.uname().nodename}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def _drive_claimed(lease: Lease) -> None:
    started = time.monotonic()
    if not drive_leased(lease, should_stop=lambda: queue.is_stopping() or _others_wait(started)):
        return  # the reconciler finds it: a database that is away or full is not asked again at once
    run = Run.objects.get(pk=lease.run_id)
    if run.is_active and not run.is_held(clock.now()) and not queue.is_stopping() and not is_halted():
        queue.enqueue_run(lease.run_id)


def _others_wait(started: float) -> bool:
    return time.monotonic() - started > YIELD_AFTER_S and bool(queue.pending_jobs())


def drive_leased(lease: Lease, should_stop: Callable[[], bool] = lambda: False) -> bool:
    """Drive a run whose lease is held, and give it back. False: it stopped at its last committed step.

    Whatever escapes ends the run as FAILED, with the traceback in the log only.
    """
    keeper.keep(lease)
    try:
        _drive_or_fail(lease, should_stop)
        _tell_parent(lease.run_id)
    except (OperationalError, InterfaceError, Overtaken):
        log.exception("run %s stopped at its last committed step", lease.run_id)
        return False
    finally:
        keeper.drop(lease)
        give_back(lease)
    return True


def _drive_or_fail(lease: Lease, should_stop: Callable[[], bool]) -> None:
    try:
        _drive(lease, should_stop)
    except PlannerFault as fault:
        _fail(lease, fault.code, str(fault))
    except (OperationalError, InterfaceError, Overtaken):
        raise  # the database is away or busy, nothing is lost; its other errors (a value it refuses) are faults of ours
    except Exception:  # the one broad except of the product: our fault must not take the worker down
        log.exception("run %s failed by a fault of ours", lease.run_id)
        _fail(lease, "internal_error", "OpsPilot itself failed; its log has the details.")


def _drive(lease: Lease, should_stop: Callable[[], bool]) -> None:
    run = Run.objects.get(pk=lease.run_id)
    if lease.is_poisoned:
        record.fail(run, lease, "poison", f"{POISON} processes died while they drove this run at the same place.")
        return
    watch = partial(keeper.keep, lease)
    drive(run, lease, Outfit(planner_for(run.planner, run.model), tool_host(), watch, _say, should_stop))


def _tell_parent(run_id: int) -> None:
    """The last of a run's sub-runs to end lets it go on; the reconciler does where we die before that."""
    parent = Run.objects.filter(pk=run_id, state__in=TERMINAL, parent__isnull=False).values_list("parent_id", flat=True)
    for parent_id in parent:
        let_parent_go_on(parent_id)


def _say(run: Run, text: str) -> None:
    live.say(run.pk, run.n_steps + 1, text)


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

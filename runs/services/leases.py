"""Who drives a run: claimed under the row's lock, renewed while the driver lives, given back when it stops.

A driver that dies leaves its name on a lapsed lease. If it shared its process with other runs, nobody knows which of
them killed it, so each is next driven alone, in a process of its own; one that kills three of those at the same place
is poison.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    close_old_connections,
    connection,
    transaction,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from runs import faults
from runs.models import Run
from runs.states import ACTIVE

DEATH = ["lease_owner", "must_be_alone", "deaths", "died_at"]
GIVE_BACK_S = 0.5  # between two tries
POISON = 3  # processes of its own that a run may kill at one place
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Lease:
    """The right to drive one run. `epoch` fences: every write of the driver carries it in its WHERE."""

    run_id: int
    epoch: int
    owner: str
    deaths: int = 0  # processes that died driving this run alone at the place where it stands
    fresh_until: float = field(default_factory=lambda: time.monotonic() + settings.LEASE_S)  # by this process's clock
    _mark: float = field(default_factory=lambda: time.monotonic())

    @property
    def is_poisoned(self) -> bool:
        return self.deaths >= POISON

    def lap_ms(self) -> int:
        """Milliseconds since the last lap: what the run's driven time grows by.

        Where the lease went stale meanwhile, its process stood still (Ctrl-Z, a frozen machine): nobody drove then.
        """
        now = time.monotonic()
        lap, self._mark = min(now, self.fresh_until) - self._mark, now
        return max(0, round(lap * 1000))


@faults.point("lease.claim")
def claim_run(run_id: int, owner: str, alone: bool = False) -> Lease | None:
    """Take the lease of a run that should move and that nobody holds; None if there is nothing to drive here.

    A run whose last driver died can only be claimed `alone`. Time is the database's.
    """
    fresh_until = time.monotonic() + settings.LEASE_S
    with transaction.atomic():
        run = Run.objects.select_for_update().annotate(db_now=Now()).filter(pk=run_id, state__in=ACTIVE).first()
        if run is None or run.is_held(run.db_now) or (run.lease_until and run.lease_until >= run.db_now):
            return None
        if run.lease_owner:
            _note_death(run)
        if run.must_be_alone and not alone:
            run.save(update_fields=DEATH)
            return None
        run.lease_epoch, run.lease_owner, run.lease_alone = run.lease_epoch + 1, owner, alone
        run.lease_until = run.db_now + timedelta(seconds=settings.LEASE_S)
        run.save(update_fields=[*DEATH, "lease_epoch", "lease_alone", "lease_until"])
    return Lease(run_id, run.lease_epoch, owner, run.deaths, fresh_until)


def _note_death(run: Run) -> None:
    place = f"{run.cycle} {run.state}"
    if run.lease_alone:
        run.deaths = run.deaths + 1 if run.died_at == place else 1
        run.died_at = place
    run.must_be_alone, run.lease_owner = True, ""


def renew_lease(lease: Lease) -> bool:
    """Another LEASE_S from now by the database's clock. False: it was given back or somebody else drives, stop."""
    # One that was given back keeps its epoch until the next claim: a heartbeat that comes late must leave it free.
    mine = Run.objects.filter(pk=lease.run_id, lease_epoch=lease.epoch, lease_until__isnull=False, state__in=ACTIVE)
    fresh_until = time.monotonic() + settings.LEASE_S
    if not mine.update(lease_until=_until()):
        return False
    lease.fresh_until = fresh_until
    return True


def still_holds(lease: Lease) -> bool:
    """Asked right before an effect leaves. Costs nothing while the lease is fresh; who slept asks the row."""
    return time.monotonic() < lease.fresh_until or renew_lease(lease)


@faults.point("lease.release")
def release_lease(lease: Lease) -> None:
    """Give the lease back: the next driver need not wait, and the run is no suspect any more. Safe to repeat."""
    Run.objects.filter(pk=lease.run_id, lease_epoch=lease.epoch).update(
        lease_until=None, lease_owner="", must_be_alone=False, deaths=0, died_at=""
    )


def give_back(lease: Lease) -> None:
    """Release it as soon as the database answers again: left to lapse, it would look as if its process had died."""
    give_up_at = time.monotonic() + settings.LEASE_S
    while True:
        try:
            close_old_connections()
            release_lease(lease)
            return
        except (OperationalError, InterfaceError):
            if time.monotonic() > give_up_at:
                raise
            time.sleep(GIVE_BACK_S)


def _until() -> Combinable:
    return Now() + timedelta(seconds=settings.LEASE_S)


class LeaseKeeper:
    """Renews the leases of this process from one thread with a connection of its own.

    A lease is renewed only while what its driver waits for is within its deadline: one that hangs loses it on purpose,
    another worker takes over, and the epoch fences the hanging one out.
    """

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Lease, float]] = {}  # by run: the lease and when its current wait must be over
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def keep(self, lease: Lease, deadline_s: float = 0) -> None:
        """Keep the lease while `deadline_s` seconds, and a lease's length more, have not passed."""
        with self._lock:
            self._kept[lease.run_id] = (lease, time.monotonic() + deadline_s + settings.LEASE_S)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._beat, name="lease-keeper", daemon=True)
                self._thread.start()

    def drop(self, lease: Lease) -> None:
        """Stop renewing it. Safe to repeat."""
        with self._lock:
            self._kept.pop(lease.run_id, None)

    def hand_back(self) -> None:
        """Give every lease of this process back at once: its worker stops before its drives have."""
        with self._lock:
            kept = [lease for lease, _ in self._kept.values()]
            self._kept.clear()
        for lease in kept:
            release_lease(lease)

    def _beat(self) -> None:
        try:
            while True:
                time.sleep(settings.HEARTBEAT_S)
                for lease, deadline in self._current():
                    if time.monotonic() > deadline or not _renewed(lease):
                        self.drop(lease)
        finally:
            connection.close()

    def _current(self) -> list[tuple[Lease, float]]:
        with self._lock:
            return list(self._kept.values())


def _renewed(lease: Lease) -> bool:
    try:
        return renew_lease(lease)
    except DatabaseError:
        log.warning("run %s: the lease could not be renewed; trying again", lease.run_id)
        connection.close()
        return True


keeper = LeaseKeeper()

"""Who drives a run: claimed by compare-and-set, renewed while the driver lives, given back when it stops."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db.models import F, Q
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from runs.models import Run
from runs.states import ACTIVE


@dataclass(slots=True)
class Lease:
    """The right to drive one run. `epoch` fences: every write of the driver carries it in its WHERE."""

    run_id: int
    epoch: int
    owner: str
    _mark: float = field(default_factory=time.monotonic)

    def lap_ms(self) -> int:
        """Milliseconds since the last lap: what the run's driven time grows by."""
        now = time.monotonic()
        lap, self._mark = round((now - self._mark) * 1000), now
        return lap


def claim_run(run_id: int, owner: str) -> Lease | None:
    """Take the lease of a run that should move and that nobody holds; None if there is nothing to drive."""
    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    unheld = Q(hold_reason="") | Q(hold_until__lte=Now())
    taken = (
        Run.objects.filter(free, unheld, pk=run_id, state__in=ACTIVE)
        .update(lease_epoch=F("lease_epoch") + 1, lease_owner=owner, lease_until=_until())
    )  # fmt: skip
    if not taken:
        return None
    epoch = Run.objects.values_list("lease_epoch", flat=True).get(pk=run_id, lease_owner=owner)
    return Lease(run_id, epoch, owner)


def renew_lease(lease: Lease) -> bool:
    """Another LEASE_S from now by the database's clock. False: somebody else drives, stop."""
    mine = Run.objects.filter(pk=lease.run_id, lease_epoch=lease.epoch)
    return bool(mine.update(lease_until=_until()))


def release_lease(lease: Lease) -> None:
    """Give the lease back so that the next driver need not wait for it to lapse. Safe to repeat."""
    Run.objects.filter(pk=lease.run_id, lease_epoch=lease.epoch).update(lease_until=None, lease_owner="")


def _until() -> Combinable:
    return Now() + timedelta(seconds=settings.LEASE_S)

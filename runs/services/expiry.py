"""Takes payloads away whose time is over. Their Steps stay, chained by the payload's digest, and an event says so."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from runs.audit.chain import EXPIRY, stamp
from runs.models import Step
from runs.services.actors import Actor
from runs.services.errors import Refused
from runs.services.events import record_event
from runs.states import TERMINAL

BATCH = 20_000  # payloads under one event and in one transaction: a second of the database's write lock


def expire_payloads(before: datetime, actor: Actor) -> int:
    """Empty the payloads of ended runs' Steps that are older than `before`; returns how many. Safe to repeat.

    Each batch is one transaction with its event, so that a stop in between loses nothing. Raises Refused.
    """
    if before > timezone.now():
        raise Refused("bad_time", "Payloads expire when they are old; name a time that has passed.", 400)
    total = last = 0
    while batch := _expire_batch(before, actor, last):
        total, last = total + batch[0], batch[1]
    return total


@transaction.atomic
def _expire_batch(before: datetime, actor: Actor, after: int) -> tuple[int, int] | None:
    due = _due(before).filter(pk__gt=after)
    ids = list(due.order_by("pk").values_list("pk", flat=True)[:BATCH])
    if not ids:
        return None
    # The event first: the database lets a payload go only under the newest event that covers it.
    record_event(
        EXPIRY, actor=actor, object=f"{len(ids)} payloads", first=ids[0], last=ids[-1], older_than=stamp(before),
        rows=len(ids),
    )  # fmt: skip
    due.filter(pk__lte=ids[-1]).update(body=None)
    return len(ids), ids[-1]


def _due(before: datetime) -> QuerySet[Step]:
    return Step.objects.filter(at__lt=before, body__isnull=False, run__state__in=TERMINAL)

"""Finds runs that nobody is driving and enqueues them; closes requests whose time is over or that no longer stand;
notes the ends of all chains outside of the database.

Several reconcilers are harmless. Notifications are sent and tickets looked up from threads beside the passes: a mail
server or tracker that hangs holds up none of them.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.db.models import Q

from runs import clock, queue
from runs.audit.heads import BadLine, HeadsWriter
from runs.following import Follower
from runs.models import Run
from runs.notify.sender import Sender
from runs.notify.targets import configured_targets
from runs.services.approvals import expire_approvals, renew_lapsed
from runs.services.halt import is_halted
from runs.services.subruns import let_waiting_parents_go_on

HEADS_S = 60
log = logging.getLogger(__name__)


def stranded() -> list[int]:
    """Runs that should move, that nobody holds a lease on, and whose last hint has had its time."""
    if is_halted():
        return []
    now = clock.now()
    hint_lost = Q(enqueued_at=None) | Q(enqueued_at__lt=now - timedelta(seconds=settings.RECONCILE_S))
    unleased = Q(lease_until=None) | Q(lease_until__lt=now)
    return list(Run.objects.movable(now).filter(unleased, hint_lost).order_by("id").values_list("pk", flat=True)[:500])


def reconcile_once() -> int:
    """One pass. Returns how many runs were enqueued. Safe to repeat."""
    expire_approvals()
    renew_lapsed()
    let_waiting_parents_go_on()
    return sum(queue.enqueue_run(run_id) for run_id in stranded())


def note_heads(writer: HeadsWriter) -> None:
    """Note the ends of all chains outside of the database. That this fails stops no run; it is in the log."""
    try:
        writer.write()
    except OSError as error:
        log.error("the heads file %s was not written: %s", settings.AUDIT_HEADS, error)
    except BadLine:
        log.error("the last line of %s is not ours; run ./opspilot audit verify", settings.AUDIT_HEADS)


def reconcile_forever() -> None:
    """A pass every RECONCILE_S seconds, the heads every HEADS_S; a database that is away is waited for."""
    queue.die_with_parent()
    sender, follower = Sender(configured_targets()), Follower()
    writer, next_heads = HeadsWriter(settings.AUDIT_HEADS), 0.0
    while True:
        sender.keep_going()
        follower.keep_going()
        try:
            close_old_connections()
            if found := reconcile_once():
                log.info("enqueued %s stranded runs", found)
            if time.monotonic() >= next_heads:
                note_heads(writer)
                next_heads = time.monotonic() + HEADS_S
        except DatabaseError as error:
            log.warning("the database does not answer: %s", error)
        time.sleep(settings.RECONCILE_S)

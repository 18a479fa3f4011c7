"""The time that decides who is late: the database's, where several machines share one; else this machine's own.

A Step's chained time is its writer's. Leases, holds and expiries are judged by this one: a machine whose clock is
wrong neither ends a request early nor runs it late, and takes no run from its driver.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection
from django.utils import timezone


def now() -> datetime:
    """Costs a query on PostgreSQL. Ask it after the row's lock is held: it does not stand still in a transaction."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        found: datetime = cursor.fetchone()[0]
    return found

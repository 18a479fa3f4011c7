"""/healthz: whether this installation works, in words a stranger may read. The only address without a log-in."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Max
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from runs import queue
from runs.models import Run
from runs.services.halt import is_halted
from runs.states import ACTIVE

LATE_S = 90  # an idle worker of RQ beats about once a minute


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """503 only when the database is away: runs are safe without Redis and without a worker, so that is `degraded`."""
    database = _database_answers()
    pending = queue.pending_jobs()
    age_s = _heartbeat_age_s() if database else None
    well = database and pending is not None and age_s is not None and age_s <= LATE_S
    body = {
        "status": "ok" if well else "degraded",
        "database": "ok" if database else "away",
        "redis": "away" if pending is None else "ok",
        "worker_heartbeat_age_s": age_s,
        "pending": pending,
        "halted": database and is_halted(),
    }
    return JsonResponse(body, status=200 if database else 503, headers={"Cache-Control": "no-store"})


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _heartbeat_age_s() -> float | None:
    """Since any worker showed life: idle ones in Redis, busy ones by the lease of the run they drive."""
    beats = [beat for beat in (queue.newest_heartbeat(), _newest_renewal()) if beat]
    return round(max(0.0, (timezone.now() - max(beats)).total_seconds()), 1) if beats else None


def _newest_renewal() -> datetime | None:
    until: datetime | None = Run.objects.filter(state__in=ACTIVE).aggregate(newest=Max("lease_until"))["newest"]
    return until and until - timedelta(seconds=settings.LEASE_S)

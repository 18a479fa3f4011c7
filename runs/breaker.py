"""What workers tell each other about a model's API: how long to leave it alone. Kept in Redis; losing it is harmless.

After five faults in a row nobody asks for a minute; then one worker probes, and the rest wait for what it finds
(the circuit breaker of Nygard's "Release It!"). A Retry-After holds for every worker.
"""

from __future__ import annotations

import logging
from functools import cache

import redis
from django.conf import settings

FAULTS_TO_OPEN = 5
OPEN_S = 60
PROBE_S = 180  # longer than one call: a probe that never reports back is forgotten
log = logging.getLogger(__name__)


@cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=0.2, socket_timeout=0.5)


def wait_s(name: str) -> float:
    """Seconds to leave the API alone; 0 when this worker may ask (as the probe, if it is half open)."""
    try:
        left = _client().pttl(f"breaker:{name}:closed_until")
        if left > 0:
            return left / 1000
        if int(_client().get(f"breaker:{name}:faults") or 0) < FAULTS_TO_OPEN:
            return 0.0
        return 0.0 if _client().set(f"breaker:{name}:probe", "1", nx=True, ex=PROBE_S) else 5.0
    except (redis.RedisError, OSError):
        return 0.0


def report_fault(name: str, retry_after_s: float | None = None) -> None:
    """The API had a fault that is not ours: count it, and keep everybody away for as long as it asked."""
    try:
        faults = int(_client().incr(f"breaker:{name}:faults"))
        away = max(retry_after_s or 0, OPEN_S if faults >= FAULTS_TO_OPEN else 0)
        _client().expire(f"breaker:{name}:faults", 3600)
        _client().delete(f"breaker:{name}:probe")
        if away > 0:
            _client().set(f"breaker:{name}:closed_until", "1", px=round(away * 1000))
    except (redis.RedisError, OSError):
        log.debug("the breaker of %s is not shared: Redis does not answer", name)


def report_answer(name: str) -> None:
    """The API answered: everybody may ask again."""
    try:
        _client().delete(f"breaker:{name}:faults", f"breaker:{name}:probe", f"breaker:{name}:closed_until")
    except (redis.RedisError, OSError):
        log.debug("the breaker of %s is not shared: Redis does not answer", name)

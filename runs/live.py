"""Publishes notices that a run moved. A notice carries run and seq, never the payload; losing one is harmless."""

from __future__ import annotations

import json
import logging
from functools import cache

import redis
from django.conf import settings

CHANNEL = "opspilot:steps"
log = logging.getLogger(__name__)


@cache
def _client() -> redis.Redis:
    # Short time-outs: a Redis that is away must not slow a run down; the page re-reads by itself.
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=0.2, socket_timeout=0.5)


def publish(run_id: int, seq: int) -> None:
    """Tell every web process that run `run_id` has a Step `seq`. Never raises."""
    try:
        _client().publish(CHANNEL, json.dumps({"run": run_id, "seq": seq}))
    except (redis.RedisError, OSError):
        log.debug("notice of run %s step %s not sent: Redis does not answer", run_id, seq)

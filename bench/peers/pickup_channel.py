"""What a bare RQ job does in `pickup`: it says that it runs."""

from __future__ import annotations

from functools import cache

import redis

CHANNEL = "bench:pickup"


@cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url)


def say(url: str, name: str) -> None:
    _client(url).publish(CHANNEL, name)

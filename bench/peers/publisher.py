"""Publishes the texts of `live` for the peer and for the floor, the way that code outside of an event loop does."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import redis
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from bench.answering import serve
from bench.peers.channels_site import GROUP
from bench.peers.marks import with_mark
from bench.peers.websockets_site import CHANNEL

Publish = Callable[[str], None]


def main(url: str) -> None:
    client = redis.Redis.from_url(url)
    group_send = async_to_sync(get_channel_layer().group_send)
    ways: dict[str, Publish] = {
        "peer": lambda text: group_send(GROUP, {"type": "step", "text": text}),
        "floor": lambda text: client.publish(CHANNEL, text),
    }

    def publish(way: str, sample: str, first: int, count: int, every_s: float) -> dict[str, Any]:
        sent = []
        for number in range(first, first + count):
            text = with_mark(sample, number)
            sent.append((number, time.monotonic()))
            ways[way](text)
            time.sleep(every_s)
        return {"sent": sent}

    def cost(way: str, sample: str, count: int) -> dict[str, Any]:
        started = time.perf_counter()
        for _ in range(count):
            ways[way](sample)
        return {"ms": (time.perf_counter() - started) * 1_000 / count}

    serve(publish=publish, cost=cost)


if __name__ == "__main__":
    main(sys.argv[1])

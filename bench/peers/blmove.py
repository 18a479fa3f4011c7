"""The floor of `pickup`: a loop that moves one element from a Redis list to another and says so."""

from __future__ import annotations

import sys

import redis

from bench.peers.pickup_channel import CHANNEL


def main(url: str) -> None:
    client = redis.Redis.from_url(url)
    while True:
        if (taken := client.blmove("bench:blmove", "bench:blmove:taken", 5, "LEFT", "RIGHT")) is not None:
            client.publish(CHANNEL, taken)
            client.lrem("bench:blmove:taken", 1, taken)


if __name__ == "__main__":
    main(sys.argv[1])

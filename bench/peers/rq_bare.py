"""RQ's own workers with nothing of OpsPilot and nothing of Django: in process ("simple"), or forking for each job."""

from __future__ import annotations

import sys

import redis
from rq import Queue, SimpleWorker, Worker

from bench.peers import pickup_channel  # noqa: F401  loaded before a fork, as a good set-up does

KINDS = {"simple": SimpleWorker, "fork": Worker}


def main(url: str, kind: str) -> None:
    connection = redis.Redis.from_url(url)
    KINDS[kind]([Queue(f"bench-{kind}", connection=connection)], connection=connection).work(logging_level="WARNING")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

"""Both sides of `pickup` are asked from here: a run by the API, a job of RQ, an element of a Redis list.

Every answer is in milliseconds from the moment at which the asking is over until the work was heard to have begun.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.contrib.auth.models import User
from rq import Queue

from bench.answering import serve
from bench.peers.pickup_channel import CHANNEL, say
from runs import live
from runs.models import Run, Step
from runs.services.teams import add_member, default_team
from runs.services.tokens import issue_token
from runs.states import Role

BEGIN_SEQ = 2  # "create" is the first Step, written before the API answers
PATIENCE_S, REST_S = 60.0, 0.05


def main(address: str) -> None:
    client = redis.Redis.from_url(settings.REDIS_URL)
    runs, others = _hearing(client, live.CHANNEL), _hearing(client, CHANNEL)
    token, web = _token(), http.client.HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE_S)
    queues = {kind: Queue(f"bench-{kind}", connection=client) for kind in ("simple", "fork")}
    _drain(runs), _drain(others)

    def run() -> dict[str, Any]:
        """POST /api/runs. `ms` is from its answer on, 0 where the worker was faster; `asked_ms` from the request on."""
        asked = time.perf_counter()
        web.request("POST", "/api/runs", json.dumps({"goal": "Investigate database timeouts"}), _headers(token))
        answer = web.getresponse()
        body = json.loads(answer.read())
        answered = time.perf_counter()
        if answer.status != 201:
            raise RuntimeError(f"the API answers {answer.status}: {body}")
        begun = _wait_for_begin(runs, body["id"])
        _wait_for_end(body["id"])
        _drain(runs)
        return {"ms": max(0.0, begun - answered) * 1_000, "asked_ms": (begun - asked) * 1_000}

    def job(kind: str) -> dict[str, Any]:
        queues[kind].enqueue(say, settings.REDIS_URL, kind, result_ttl=0)
        return _until_heard()

    def element() -> dict[str, Any]:
        client.rpush("bench:blmove", "element")
        return _until_heard()

    def _until_heard() -> dict[str, Any]:
        enqueued = time.perf_counter()
        _next(others)
        took = time.perf_counter() - enqueued
        time.sleep(REST_S)  # the worker tidies up and waits again
        return {"ms": took * 1_000}

    serve(run=run, job=job, element=element)


def _hearing(client: redis.Redis, channel: str) -> Any:
    pubsub = client.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe(channel)
    return pubsub


def _drain(pubsub: Any) -> None:
    while pubsub.get_message(timeout=0.05) is not None or pubsub.get_message(timeout=0.0) is not None:
        pass


def _next(pubsub: Any) -> bytes:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if (message := pubsub.get_message(timeout=1.0)) is not None:
            data: bytes = message["data"]
            return data
    raise RuntimeError(f"nothing was heard for {PATIENCE_S:.0f} s")


def _wait_for_begin(pubsub: Any, run_id: int) -> float:
    while True:
        notice = json.loads(_next(pubsub))
        if notice.get("run") == run_id and notice.get("seq", 0) >= BEGIN_SEQ:
            break
    heard = time.perf_counter()
    if Step.objects.get(run_id=run_id, seq=BEGIN_SEQ).name != "begin":
        raise RuntimeError(f"the second Step of run {run_id} is not its beginning")
    return heard


def _wait_for_end(run_id: int) -> None:
    """Until the worker is idle again."""
    deadline = time.monotonic() + PATIENCE_S
    while Run.objects.get(pk=run_id).is_active or Run.objects.get(pk=run_id).lease_owner:
        if time.monotonic() > deadline:
            raise RuntimeError(f"run {run_id} does not end")
        time.sleep(REST_S)
    time.sleep(REST_S)


def _token() -> str:
    user, _ = User.objects.get_or_create(username="bench", defaults={"is_superuser": True})
    add_member(default_team(), user, Role.ADMINISTRATOR)
    return issue_token(user, "bench", days=1)[1]


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


if __name__ == "__main__":
    main(sys.argv[1])

"""The only code that touches RQ: what is enqueued, what a job may call, and the worker.

A job names a run and nothing else. The Run row is the truth; a job that is lost is found by the reconciler, one that
comes twice finds the lease taken.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import threading
import uuid
from datetime import datetime
from functools import cache, partial
from typing import Any

import django_rq
import redis
from django.conf import settings
from django.utils.module_loading import import_string
from rq import SimpleWorker, worker_registration
from rq.job import Job

from runs import clock, faults
from runs.models import Run
from runs.services.leases import keeper
from runs.slots import Slots

QUEUE = "runs"
DRAIN_S = 20.0
log = logging.getLogger(__name__)


class ForbiddenJob(Exception):
    """A job in Redis names a function that is not the driver."""


class DriveJob(Job):
    """The only job there is. Whatever Redis says, it calls the driver: no other function, callback or webhook."""

    @property
    def func(self) -> Any:
        if self.func_name != settings.OPSPILOT_DRIVER:
            raise ForbiddenJob(f"a job may call {settings.OPSPILOT_DRIVER} only")
        return partial(slots().fill, import_string(settings.OPSPILOT_DRIVER))

    def restore(self, raw_data: Any) -> None:
        super().restore(raw_data)
        for name in ("_success_callback_name", "_failure_callback_name", "_stopped_callback_name"):
            setattr(self, name, None)
        self.webhooks = []  # RQ would fetch these URLs from the worker


class RunWorker(SimpleWorker):
    """Takes a job only when a slot is free and hands its run to a thread: waiting for a model costs a thread.

    Every step is committed, so a crash costs a step, not a run. It listens on exactly one queue (RQ's two-queue pop can
    lose a job).
    """

    def __init__(self, *args: Any, **kwargs: Any):
        kwargs.update(job_class=DriveJob, worker_ttl=60, maintenance_interval=60)
        super().__init__(*args, **kwargs)

    def dequeue_job_and_maintain_ttl(self, *args: Any, **kwargs: Any) -> Any:
        while not slots().wait_for_one(timeout_s=5.0):
            self.heartbeat()
            if _stopping.is_set():
                return None
        return super().dequeue_job_and_maintain_ttl(*args, **kwargs)

    def heartbeat(self, *args: Any, **kwargs: Any) -> None:
        if not self.connection.exists(self.key):  # a Redis that lost everything forgot this worker too
            self.connection.hset(self.key, mapping=self.serialize())
            worker_registration.register(self)
        super().heartbeat(*args, **kwargs)

    def request_stop(self, signum: Any, frame: Any) -> None:
        stop()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]


@cache
def slots() -> Slots:
    return Slots(settings.WORKER_SLOTS)


_stopping = threading.Event()


def stop() -> None:
    """Ask the drives of this process to end at their next Step boundary."""
    _stopping.set()


def is_stopping() -> bool:
    """Whether this worker was asked to stop: a drive then ends at its next Step boundary."""
    return _stopping.is_set()


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends (Linux; elsewhere nothing)."""
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    except (OSError, AttributeError):
        log.debug("no prctl here: a worker may outlive its supervisor")


def _queue(connection: redis.Redis | None = None) -> Any:
    connection = connection or _hasty(settings.REDIS_URL)
    return django_rq.get_queue(QUEUE, job_class=DriveJob, commit_mode="auto", connection=connection)


@cache
def _hasty(url: str) -> redis.Redis:
    # A Redis that is late must hold up neither a request nor a step; the worker waits for jobs on one of its own.
    return redis.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1)


@faults.point("queue.enqueue")
def enqueue_run(run_id: int) -> bool:
    """Hint that a run should move. False when Redis does not answer: the reconciler finds the run within seconds."""
    try:
        _queue().enqueue_call(
            settings.OPSPILOT_DRIVER,
            args=(run_id,),
            job_id=uuid.uuid4().hex,
            result_ttl=0,
            failure_ttl=3600,
            timeout=-1,
        )
    except (redis.RedisError, OSError) as error:
        log.warning("run %s is not enqueued (%s); the reconciler will find it", run_id, error)
        return False
    Run.objects.filter(pk=run_id).update(enqueued_at=clock.now())
    return True


def pending_jobs() -> int | None:
    """Jobs that wait; None when Redis does not answer."""
    try:
        return int(_queue().count)
    except (redis.RedisError, OSError):
        return None


def worker_names() -> list[str] | None:
    """The workers that Redis knows; None when it does not answer."""
    try:
        return [worker.name for worker in RunWorker.all(connection=_queue().connection)]
    except (redis.RedisError, OSError):
        return None


def works_here() -> bool:
    """Whether a worker of this host is known to Redis: what a container's health check asks."""
    try:
        known = RunWorker.all(connection=_queue().connection)
    except (redis.RedisError, OSError):
        return False
    return any(worker.hostname == socket.gethostname() for worker in known)


def newest_heartbeat() -> datetime | None:
    """When a worker last told Redis that it lives; None when none has, or when Redis does not answer."""
    try:
        beats = [worker.last_heartbeat for worker in RunWorker.all(connection=_queue().connection)]
    except (redis.RedisError, OSError):
        return None
    return max(filter(None, beats), default=None)


def work(burst: bool = False) -> None:
    """Work until told to stop. After SIGTERM drives end at their next step; what takes longer hands its lease back."""
    die_with_parent()
    import_string(settings.OPSPILOT_DRIVER)  # everything is loaded before the first job comes
    import_string(settings.OPSPILOT_WORKER_READY)()
    queue = _queue(django_rq.get_connection(QUEUE))
    RunWorker([queue], connection=queue.connection, serializer=queue.serializer).work(burst=burst, with_scheduler=False)
    if not slots().drain(DRAIN_S):
        keeper.hand_back()
        os._exit(0)  # threads that still wait for a model must not keep the process; their epochs are fenced

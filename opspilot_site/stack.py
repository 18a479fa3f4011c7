"""What `up` and `demo` start and what they check first: lock, port, disk, and the programs in their order."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings

from opspilot_site import redis_server
from opspilot_site.processes import Program, manage
from opspilot_site.supervisor import Supervisor

FREE_MB = 200


class CannotStart(Exception):
    """The machine is not ready; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the web process listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104  only read here
        return f"http://{f'[{host}]' if host.count(':') > 1 and host[0] != '[' else host}:{self.port}"


@contextmanager
def data_folder() -> Iterator[None]:
    """Hold the data folder: one `up` or `demo` at a time. Raises CannotStart."""
    try:
        settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
        lock = (settings.DATA_DIR / "up.lock").open("a+")
    except OSError as error:
        raise CannotStart(f"The data folder {settings.DATA_DIR} cannot be written: {error.strerror}.") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise CannotStart(
                f"OpsPilot already runs on {settings.DATA_DIR} (process {lock.read().strip()})."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def check_machine(address: Address) -> None:
    """Port free, disk not full, a Redis to be had. Raises CannotStart before anything runs."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            words = error.strerror or "it cannot be used"
            raise CannotStart(f"Port {address.port} on {address.host}: {words}. Choose another with --port.") from None
    free_mb = shutil.disk_usage(settings.DATA_DIR).free // 1_000_000
    if free_mb < FREE_MB:
        raise CannotStart(f"{free_mb} MB are free in {settings.DATA_DIR}; OpsPilot needs {FREE_MB} MB to start.")
    if not settings.EMBEDDED_REDIS and not redis_server.answers(settings.REDIS_URL):
        raise CannotStart("No Redis answers at REDIS_URL. Start it, or unset REDIS_URL to use the embedded one.")


def start_stack(supervisor: Supervisor, address: Address, workers: int) -> None:
    """Redis, web, workers, reconciler. Raises StartFailed, NoRedis."""
    port = {"OPSPILOT_PORT": str(address.port)}
    if settings.EMBEDDED_REDIS:
        argv = tuple(redis_server.command(settings.REDIS_SOCKET, settings.DATA_DIR))
        supervisor.start(Program("redis", argv, has_code=False), lambda: redis_server.answers(settings.REDIS_URL))
    for number in range(1, workers + 1):
        supervisor.start(Program(f"worker {number}", manage("worker"), port))
    supervisor.start(Program("reconciler", manage("reconcile"), port))
    web = manage("web", "--host", address.host, "--port", str(address.port))
    supervisor.start(Program("web", web, port), lambda: _accepts(address), patience_s=60)


def _accepts(address: Address) -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)  # noqa: S104
    try:
        with socket.create_connection((host, address.port), timeout=1):
            return True
    except OSError:
        return False

"""A Redis and an OpsPilot of the bench's own in a folder that goes away; nothing of an installation is touched."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from django.conf import settings

from opspilot_site import redis_server
from opspilot_site.processes import manage

START_S, STOP_S = 60, 20


class NotStarted(Exception):
    """A process of the bench does not come up; the text has the end of its log."""


def environment(folder: Path, database_url: str) -> dict[str, str]:
    """What makes a process of ours live in this folder, whatever the shell's environment says."""
    return {
        "DJANGO_SETTINGS_MODULE": "opspilot_site.settings", "OPSPILOT_IGNORE_DOTENV": "1", "OPSPILOT_DEMO": "0",
        "OPSPILOT_DATA_DIR": str(folder), "DATABASE_URL": database_url, "REDIS_URL": redis_url(folder),
        "OPSPILOT_PLANNER": "analyst", "OPSPILOT_LOG_LEVEL": "WARNING", "OPSPILOT_LOGS": f"file://{folder / 'logs'}",
    }  # fmt: skip


def redis_url(folder: Path) -> str:
    return f"unix://{quote(str(folder / 'redis.sock'))}?db=0"


@contextmanager
def running_redis(folder: Path) -> Iterator[str]:
    """The embedded Redis, with the options that `up` gives it."""
    argv = redis_server.command(folder / "redis.sock", folder)
    with running(argv, {}, folder / "redis.log", lambda: redis_server.answers(redis_url(folder))):
        yield redis_url(folder)


@contextmanager
def running_stack(folder: Path, env: dict[str, str], workers: int) -> Iterator[str]:
    """`up` on a free port, as people start it; yields its address."""
    port = free_port()
    argv = manage("up", "--port", str(port), "--workers", str(workers))
    with running(argv, {**env, "OPSPILOT_PORT": str(port)}, folder / "up.log", lambda: accepts(port)):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def running(argv: Sequence[str], env: dict[str, str], log: Path, is_up: Callable[[], bool]) -> Iterator[None]:
    """A server while the block lasts. Raises NotStarted."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["env", *(f"{name}={value}" for name, value in env.items()), *argv],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=settings.BASE_DIR,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + START_S
        while not is_up():
            if process.poll() is not None or time.monotonic() > deadline:
                raise NotStarted(f"{Path(argv[0]).name} does not start: {log.read_text(errors='replace')[-500:]}")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


OUR_PYTHON = Path(sys.executable)

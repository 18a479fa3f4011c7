"""`up` with its real processes: one at a time, restarted when they die, none left when it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from django.conf import settings

from tests.processes import product_environment


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _eventually(is_so: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.1)


class Up:
    """One `manage.py up` over a data folder, and what it started."""

    def __init__(self, folder: Path, port: int):
        self.folder, self.port = folder, port
        self.words = folder.with_suffix(".words")
        self.process = self.begin(port)

    def begin(self, port: int, *more: str) -> subprocess.Popen[str]:
        env = product_environment(OPSPILOT_DATA_DIR=str(self.folder), OPSPILOT_WORKERS="1")
        with self.words.open("a") as words:
            return subprocess.Popen(
                [sys.executable, "manage.py", "up", "--port", str(port), *more],
                cwd=settings.BASE_DIR, env=env, stderr=words, text=True,
            )  # fmt: skip

    def said(self) -> str:
        return self.words.read_text()

    def is_serving(self) -> bool:
        assert self.process.poll() is None, self.said()
        return "Dashboard" in self.said()

    def health(self) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
            return bytes(answer.read())

    def children(self) -> dict[str, psutil.Process]:
        """By the word that tells them apart: redis-server, worker, reconcile, web."""
        found = {}
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.process.pid).children():
                words = child.cmdline()
                found[words[2] if len(words) > 2 and words[1].endswith("manage.py") else "redis-server"] = child
        return found


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    started = Up(tmp_path / "data", free_port())
    yield started
    if started.process.poll() is None:
        started.process.send_signal(signal.SIGINT)
        started.process.wait(30)


def _all_gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


def test_it_serves_restarts_what_dies_and_leaves_nothing_behind(up: Up) -> None:
    _eventually(up.is_serving, "the dashboard")
    assert b'"database": "ok", "redis": "ok"' in up.health()
    children = up.children()
    assert set(children) == {"redis-server", "worker", "reconcile", "web"}

    children["worker"].kill()
    children["redis-server"].kill()
    _eventually(lambda: "worker 1 was killed by signal 9" in up.said(), "word of the worker's death")
    _eventually(lambda: set(up.children()) == set(children), "both are back")
    _eventually(lambda: b'"redis": "ok"' in up.health(), "the new Redis answers")

    children = up.children()
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(30) == 0
    assert _all_gone(list(children.values()))
    assert up.said().rstrip().endswith("Stopped. Runs are safe and go on at the next start.")


def test_killing_it_outright_ends_its_processes_too(up: Up) -> None:
    _eventually(up.is_serving, "the dashboard")
    children = list(up.children().values())

    up.process.kill()
    up.process.wait(10)

    _eventually(lambda: _all_gone(children), "the kernel has ended every child")


def test_a_second_one_on_the_same_data_says_so(up: Up) -> None:
    _eventually(up.is_serving, "the dashboard")

    second = up.begin(free_port())

    assert second.wait(30) == 2
    assert f"OpsPilot already runs on {up.folder} (process {up.process.pid})." in up.said()
    assert up.process.poll() is None


def test_a_port_in_use_is_said_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        up = Up(tmp_path / "data", port)

        assert up.process.wait(30) == 2
    assert f"Port {port} on 127.0.0.1: Address already in use. Choose another with --port." in up.said()
    assert not (up.folder / "logs").exists()

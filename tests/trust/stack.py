"""A whole installation under `up`, in processes of its own, and how to strike each of them. No assertion here."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.trust.surroundings import ROOT

START_S = 90


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    parent: int
    words: str


class Stack:
    """The processes of one `up`, found by their command lines."""

    def __init__(self, up: int, port: int):
        self._up, self.port = up, port

    def workers(self) -> list[int]:
        return self._children("manage.py worker")

    def web(self) -> int:
        return self._children("manage.py web")[0]

    def reconciler(self) -> int:
        return self._children("manage.py reconcile")[0]

    def redis(self) -> int:
        return self._children("redis-server", "valkey-server")[0]

    def tool_template(self, worker: int) -> int:
        return next(one.pid for one in _processes() if one.parent == worker and "agent.toolprocess" in one.words)

    def health(self) -> dict[str, str]:
        """What /healthz says. Raises OSError while the web process is away."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def _children(self, *words: str) -> list[int]:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:  # one that has just been killed is being started again
            found = [
                one.pid
                for one in _processes()
                if one.parent == self._up and any(word in one.words for word in words) and not _is_dead(one.pid)
            ]
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError(f"`up` has no child {words[0]!r}")


def _processes() -> list[Process]:
    lines = subprocess.run(["ps", "-eww", "-o", "pid=,ppid=,args="], check=True, capture_output=True, text=True).stdout
    return [
        Process(int(pid), int(parent), words)
        for pid, parent, words in (line.split(maxsplit=2) for line in lines.splitlines())
    ]


def _is_dead(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(log: Path) -> Iterator[Stack]:
    """`up` in this process's own environment; stopped in order at the end."""
    port = _free_port()
    with log.open("wb") as file:
        up = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--port", str(port)], cwd=ROOT, stdout=file, stderr=file,
            stdin=subprocess.DEVNULL, start_new_session=True, env={**os.environ, "OPSPILOT_URL": f"http://127.0.0.1:{port}"},
        )  # fmt: skip
        try:
            stack = Stack(up.pid, port)
            _wait_until_up(stack, up, log)
            yield stack
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(60)


def _wait_until_up(stack: Stack, up: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert up.poll() is None, f"`up` ended: {log.read_text()[-2_000:]}"
        try:
            if stack.health().get("status") == "ok":
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"`up` is not healthy after {START_S} s: {log.read_text()[-2_000:]}")

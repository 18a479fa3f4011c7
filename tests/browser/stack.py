"""A whole OpsPilot of the browser tests' own: `up` in a throwaway folder with a simulated incident as its source."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from opspilot_site.processes import manage
from tests.standins.receivers import Receivers
from tools.simulator import load_scenario, simulate

SCENARIO, SEED = "db-pool-exhaustion", 4711
LOG_LINES = 8_000  # less chatter than the demo's: the pages are under test here, not the reading
PATIENCE_S = 60
UNDER_WAY = """
    SELECT count(*) FROM runs_run AS run
    WHERE state IN ('QUEUED', 'PLAN', 'EXECUTE_TOOL', 'EVALUATE') AND hold_reason = ''
    OR state = 'NEEDS_APPROVAL' AND EXISTS (
        SELECT 1 FROM runs_approval AS asked WHERE asked.run_id = run.id AND asked.state = 'APPROVED')
"""


@dataclass(frozen=True)
class Stack:
    """What runs. Its processes are children of `up`, which starts again what dies."""

    url: str
    folder: Path
    pid: int
    outside: Receivers  # where its notifications arrive

    def kill(self, program: str) -> None:
        """kill -9 one of the processes, for example "manage.py web"; `up` starts it again by itself."""
        pid = self._child(program)
        os.kill(pid, signal.SIGKILL)
        _wait(lambda: not Path(f"/proc/{pid}/cmdline").exists() or not _command(pid), f"{program} does not die")

    def close_tickets(self) -> None:
        """So that the next incident of the same service gets a ticket of its own, and no comment on an old one.

        A test may end while a call that it approved is still on its way to a ticket: that one is closed too.
        """
        with closing(sqlite3.connect(self.folder / "data" / "opspilot.sqlite3", timeout=20)) as database:
            _wait(lambda: database.execute(UNDER_WAY).fetchone() == (0,), "runs of earlier tests do not come to rest")
            database.execute("UPDATE runs_ticket SET state = 'closed'")
            database.commit()

    def _child(self, program: str) -> int:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        found = [int(pid) for pid in children if program in _command(int(pid))]
        assert len(found) == 1, f"{program}: {len(found)} processes of {self.pid}"
        return found[0]


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


@contextmanager
def running_stack(folder: Path) -> Iterator[Stack]:
    """Simulate, seed, start; stop at the end. What its programs said stays in folder/data/logs."""
    scenario = load_scenario(SCENARIO).model_copy(update={"log_lines": LOG_LINES})
    simulate(scenario, SEED, datetime.now(UTC), folder / "incident")
    port = _free_port()
    outside = Receivers(folder)
    outside.start()
    env = {**_environment(folder, port), "OPSPILOT_NOTIFY": f"{outside.people_url} {outside.hook_url}"}
    subprocess.run([sys.executable, "-m", "tests.browser.seed"], env=env, cwd=settings.BASE_DIR, check=True)
    with (folder / "up.log").open("wb") as log:
        up = subprocess.Popen(manage("up"), env=env, cwd=settings.BASE_DIR, stdout=log, stderr=log)
    try:
        words = f"the stack does not start: {folder / 'up.log'}"
        _wait(lambda: "Dashboard" in (folder / "up.log").read_text() or _has_ended(up), words)
        assert up.poll() is None, (folder / "up.log").read_text()
        yield Stack(f"http://127.0.0.1:{port}", folder, up.pid, outside)
    finally:
        up.terminate()
        up.wait(PATIENCE_S)
        outside.stop()


def _environment(folder: Path, port: int) -> dict[str, str]:
    """Nothing of the developer's shell, nor of the settings that the tests themselves run under."""
    return {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        "DJANGO_SETTINGS_MODULE": "opspilot_site.settings", "OPSPILOT_IGNORE_DOTENV": "1",
        "OPSPILOT_DATA_DIR": str(folder / "data"), "OPSPILOT_PORT": str(port), "OPSPILOT_WORKERS": "1",
        "OPSPILOT_RECONCILE_S": "2", "OPSPILOT_DATA": f"shop=file://{folder / 'incident'}",
    }  # fmt: skip


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


def _wait(is_so: object, words: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < deadline, words
        time.sleep(0.05)

"""What the test suite needs of a machine besides Python: databases, a browser, servers of metrics. Never installs."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
UNPRIVILEGED = ("postgres", "nobody")  # who runs PostgreSQL for root: it refuses to run as root


def chromium() -> str | None:
    return next(filter(None, map(shutil.which, CHROMIUM)), None)


def postgres_programs() -> Path | None:
    """The folder with initdb and postgres; the newest version where there are several."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    return versions[-1].parent if versions else None


def lacking() -> dict[str, str]:
    """What this machine lacks and how to get it: {} on a machine where nothing is left out."""
    needs = {
        "PostgreSQL": (postgres_programs(), "sudo apt install postgresql"),
        "Chromium": (chromium(), "sudo apt install chromium"),
        "Prometheus": (shutil.which("prometheus"), "sudo apt install prometheus"),
        "VictoriaMetrics": (shutil.which("victoria-metrics"), "sudo apt install victoria-metrics"),
    }
    return {name: how for name, (found, how) in needs.items() if not found}


@contextmanager
def throwaway_postgres(programs: Path, *, durable: bool = False) -> Iterator[str]:
    """A PostgreSQL cluster on a socket of its own; yields its DATABASE_URL and leaves nothing behind.

    Unless `durable`, its commits do not reach the disk: quick, and right for what is thrown away.
    """
    folder = Path(tempfile.mkdtemp(prefix="opspilot-pg-", dir="/tmp"))
    user, group = _unprivileged() if os.getuid() == 0 else (None, None)
    if user is not None:
        os.chown(folder, user, group or -1)
    server = None
    try:
        data = folder / "data"
        initdb: list[str | Path] = [
            programs / "initdb",
            "-D",
            data,
            "-U",
            "opspilot",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
        ]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=folder, user=user, group=group)  # noqa: S603
        quick = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=150")
        settings = [] if durable else [word for setting in quick for word in ("-c", setting)]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(  # noqa: S603
                [str(programs / "postgres"), "-D", str(data), "-k", str(folder), "-c", "listen_addresses=", *settings],
                stdout=log, stderr=log, cwd=folder, user=user, group=group,
            )  # fmt: skip
        _wait_for(folder / ".s.PGSQL.5432", server)
        yield f"postgres://opspilot@{quote(str(folder), safe='')}/postgres"
    finally:
        if server is not None:
            server.send_signal(2)  # SIGINT: fast shutdown
            server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged() -> tuple[int, int]:
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = next(known[name] for name in UNPRIVILEGED if name in known)
    return entry.pw_uid, entry.pw_gid


def _wait_for(socket: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while not socket.exists():
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL does not start: {(socket.parent / 'log').read_text()[-1_000:]}")
        time.sleep(0.05)

"""What the processes of a trust test need: their environment, the outside world, a source. No assertion here."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = Path(__file__).resolve().parent / "plugin"
FOREIGN = ("OPSPILOT_", "ANTHROPIC_", "REDIS_", "DJANGO_", "PYTEST_")


def environment(folder: Path, database_url: str = "", **extra: str) -> dict[str, str]:
    """The environment of a process that runs the product as it is, with the tools and planner of these tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    kept.pop("DATABASE_URL", None)
    ours = {
        "OPSPILOT_TEST": "1", "OPSPILOT_IGNORE_DOTENV": "1", "OPSPILOT_DATA_DIR": str(folder),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{PLUGIN}", "DJANGO_SETTINGS_MODULE": "opspilot_site.settings",
        "OPSPILOT_MAX_APPROVALS_PER_SERVICE": "1000000",  # hundreds of runs a minute ask about one house
    }  # fmt: skip
    return {**kept, **ours, **({"DATABASE_URL": database_url} if database_url else {}), **extra}


@contextmanager
def ended_with(argv: list[str], **how: object) -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives as long as the block."""
    process = subprocess.Popen(argv, **how)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def outside_world(folder: Path) -> Iterator[str]:
    """The outside world in a process of its own; yields the address of its socket."""
    address = folder / "outside.sock"
    with ended_with([sys.executable, str(PLUGIN / "trust_outside.py"), str(address), str(folder / "outside.sqlite3")]):
        while not address.exists():
            time.sleep(0.01)
        yield str(address)


def write_source(folder: Path) -> list[dict[str, str]]:
    """The smallest source a run can have."""
    source = folder / "house"
    source.mkdir(exist_ok=True)
    (source / "app.log").write_text("2026-03-04T12:00:00Z INFO house the lamps are open\n")
    return [{"name": "house", "url": f"file://{source}", "env": ""}]

"""Throwaway databases with durable commits: SQLite as OpsPilot sets it, PostgreSQL with fsync on. Each as a URL."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from django.conf import settings

from opspilot_site.test_machine import lacking, postgres_programs, throwaway_postgres

SQLITE, POSTGRESQL = "sqlite", "postgresql"
KINDS = (SQLITE, POSTGRESQL)
START_S = 30


class NoDatabase(Exception):
    """This machine has no such database; the text says how to get it."""


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that goes away. In var/, which is on a real disk: an fsync in a memory file system costs nothing."""
    parent: Path = settings.BASE_DIR / "var" / "bench"
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """Its DATABASE_URL. Raises NoDatabase."""
    if kind == SQLITE:
        yield f"sqlite:///{folder / 'bench.sqlite3'}"
        return
    programs = postgres_programs()
    if programs is None:
        raise NoDatabase(f"no PostgreSQL here: {lacking()['PostgreSQL']}")
    with throwaway_postgres(programs, durable=True) as url:
        _wait_for(url)
        yield url


def _wait_for(url: str) -> None:
    """Its socket is there before it takes connections."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)

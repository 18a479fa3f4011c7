"""Databases and folders for tests that run the product in processes of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from opspilot_site.test_machine import postgres_programs, throwaway_postgres

MEMORY = Path("/dev/shm")  # noqa: S108  a fresh folder is made in it


@pytest.fixture
def fast_folder() -> Iterator[Path]:
    """A folder in memory where there is one: killing a process needs no disk, and thousands of commits are quick."""
    with tempfile.TemporaryDirectory(prefix="opspilot-trust-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Either database, empty: "" is the SQLite file of the data folder."""
    if request.param == "sqlite":
        yield ""
        return
    if (programs := postgres_programs()) is None:
        pytest.skip("this machine lacks PostgreSQL: sudo apt install postgresql")
    with throwaway_postgres(programs) as url:
        yield url

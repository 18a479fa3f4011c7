"""One file that brings an installation back: the SQLite database, the keys that sign its records, their heads file."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.utils import timezone

from opspilot_site.database import copy_database

DATABASE = "opspilot.sqlite3"
HEADS = "audit-heads.jsonl"


class CannotBackUp(Exception):
    """The text says why, and what does it instead."""


def back_up(target: Path) -> None:
    """Write the backup while others may go on writing to the database. Never replaces a file."""
    _refuse_postgres("pg_dump")
    with tempfile.TemporaryDirectory(dir=settings.DATA_DIR) as folder:
        # The heads before the database: they may then lag behind it, and never name what it does not have yet.
        heads = [shutil.copy(path, folder) for path in _heads()]
        copy = copy_database(Path(folder))
        try:
            with target.open("xb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
                target.chmod(0o600)  # the keys are in it
                archive.add(copy, DATABASE)
                for path in heads:
                    archive.add(path, HEADS)
                for key in _keys():
                    archive.add(key, key.name)
        except FileExistsError:
            raise CannotBackUp(f"{target} exists already; name another file.") from None
        except OSError as error:
            raise CannotBackUp(f"{target} cannot be written: {error.strerror}.") from None


def restore(source: Path) -> Path | None:
    """Bring a backup back. What stood there before is moved aside, to the folder that is returned."""
    _refuse_postgres("pg_restore")
    try:
        with tarfile.open(source, "r:gz") as archive:
            names = archive.getnames()
            if DATABASE not in names or not all(name in (DATABASE, HEADS) or name.endswith(".key") for name in names):
                raise CannotBackUp(f"{source} is not a backup of OpsPilot.")
            aside = _set_aside()
            archive.extractall(settings.DATA_DIR, filter="data")
    except (OSError, tarfile.TarError) as error:
        raise CannotBackUp(f"{source} cannot be read: {error}.") from None
    for path in _kept():
        path.chmod(0o600)
    return aside


def _set_aside() -> Path | None:
    connection.close()
    old = list(_kept())
    if not old:
        return None
    aside = Path(settings.DATA_DIR) / "backups" / f"before-restore-{timezone.now():%Y%m%d-%H%M%S}"
    aside.mkdir(parents=True, mode=0o700)
    for path in old:
        path.rename(aside / path.name)
    return aside


def _kept() -> Iterator[Path]:
    """The database with its write-ahead log, the keys, and the heads, which would call a restored copy a rollback."""
    yield from settings.DATA_DIR.glob(f"{DATABASE}*")
    yield from _keys()
    yield from _heads()


def _keys() -> Iterator[Path]:
    yield from settings.DATA_DIR.glob("*.key")


def _heads() -> list[Path]:
    """The heads file where it stands in the data folder; one elsewhere is somebody else's to keep."""
    path = settings.DATA_DIR / HEADS
    return [path] if path == settings.AUDIT_HEADS and path.exists() else []


def _refuse_postgres(tool: str) -> None:
    if connection.vendor != "sqlite":
        raise CannotBackUp(f"The database is PostgreSQL: use {tool}, and keep OPSPILOT_AUDIT_KEY beside it.")

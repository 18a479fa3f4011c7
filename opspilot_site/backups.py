"""One file that brings an installation back: the SQLite database and the keys that its records are signed with."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.utils import timezone

from opspilot_site.database import copy_database

DATABASE = "opspilot.sqlite3"


class CannotBackUp(Exception):
    """The text says why, and what does it instead."""


def back_up(target: Path) -> None:
    """Write the backup while others may go on writing to the database. Never replaces a file."""
    _refuse_postgres("pg_dump")
    with tempfile.TemporaryDirectory(dir=settings.DATA_DIR) as folder:
        copy = copy_database(Path(folder))
        try:
            with target.open("xb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
                target.chmod(0o600)  # the keys are in it
                archive.add(copy, DATABASE)
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
            if DATABASE not in names or not all(name == DATABASE or name.endswith(".key") for name in names):
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
    """The database with its write-ahead log, and the keys."""
    yield from settings.DATA_DIR.glob(f"{DATABASE}*")
    yield from _keys()


def _keys() -> Iterator[Path]:
    yield from settings.DATA_DIR.glob("*.key")


def _refuse_postgres(tool: str) -> None:
    if connection.vendor != "sqlite":
        raise CannotBackUp(f"The database is PostgreSQL: use {tool}, and keep OPSPILOT_AUDIT_KEY beside it.")

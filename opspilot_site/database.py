"""Brings the database to this code's version: refuses a newer one, copies an SQLite file first, then migrates."""

from __future__ import annotations

import getpass
import sqlite3
from contextlib import closing
from pathlib import Path

from django.conf import settings
from django.core.checks import Tags, run_checks
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from opspilot_site.effective import effective_settings
from runs.models import Installation
from runs.services.actors import Actor
from runs.services.events import record_settings
from runs.services.teams import seed_defaults


class WrongDatabase(Exception):
    """This database may not be used; the text says why and what to do."""


def prepare_database(*, demo: bool | None = None) -> Path | None:
    """Migrate and seed the defaults. Returns the copy that was made before an existing SQLite database was changed.

    `demo` says which use is meant (None: either); a database of the other use is refused before it is touched.
    """
    executor = MigrationExecutor(connection)
    applied = set(executor.loader.applied_migrations)
    _refuse_newer(executor, applied)
    if demo is not None and Installation._meta.db_table in connection.introspection.table_names():
        _refuse_other_use(demo)
    copy = None
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        copy = copy_database(settings.DATA_DIR / "backups") if applied and connection.vendor == "sqlite" else None
        call_command("migrate", verbosity=0, interactive=False)
    _refuse_unguarded()
    seed_defaults(demo=bool(demo))
    if demo is not None:  # a start, not a single investigation from somebody's shell
        record_settings(effective_settings(), Actor.shell(getpass.getuser()))
    return copy


def _refuse_unguarded() -> None:
    """Somebody took away what keeps the record append-only: that is looked at before anything is written."""
    for problem in run_checks(tags=[Tags.database], databases=[connection.alias]):
        if problem.is_serious():
            raise WrongDatabase(f"{problem.msg} {problem.hint or ''}".strip())


def _refuse_other_use(demo: bool) -> None:
    """A demo's users are known to everybody, so its database is never a real one, nor the other way round."""
    installation = Installation.objects.filter(pk=1).first()
    if installation and installation.demo and not demo:
        raise WrongDatabase("This database holds the demo's users. Choose another OPSPILOT_DATA_DIR or DATABASE_URL.")
    if installation and demo and not installation.demo:
        raise WrongDatabase("This database is in real use, so the demo stays away. Unset OPSPILOT_DATA_DIR.")


def copy_database(folder: Path) -> Path:
    """A consistent copy of the SQLite database, taken while others may write. Its name says when."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / f"opspilot-{timezone.now():%Y%m%d-%H%M%S}.sqlite3"
    target.touch(mode=0o600)
    with closing(sqlite3.connect(connection.settings_dict["NAME"])) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
    return target


def _refuse_newer(executor: MigrationExecutor, applied: set[tuple[str, str]]) -> None:
    ours = {config for config, _ in executor.loader.disk_migrations}
    unknown = sorted(f"{app}.{name}" for app, name in applied - set(executor.loader.disk_migrations) if app in ours)
    replaced = {key for migration in executor.loader.disk_migrations.values() for key in migration.replaces}
    unknown = [name for name in unknown if tuple(name.split(".", 1)) not in replaced]
    if unknown:
        raise WrongDatabase(
            f"A newer OpsPilot made this database ({unknown[-1]} is unknown here). "
            f"Update this checkout, or restore an older copy from {settings.DATA_DIR / 'backups'}."
        )

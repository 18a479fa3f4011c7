"""The Django app of the record."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate, pre_migrate


class RunsConfig(AppConfig):
    name = "runs"
    verbose_name = "Investigations"

    def ready(self) -> None:
        from runs import (
            checks,  # noqa: F401  registers the system checks
            signins,
        )
        from runs.audit.append_only import put_up, take_down

        signins.connect()

        def before(using: str, **kwargs: Any) -> None:
            take_down(connections[using])

        def after(using: str, **kwargs: Any) -> None:
            put_up(connections[using])

        # Held by the app, since a signal keeps only a weak reference.
        self._around_migrations = (before, after)
        pre_migrate.connect(before, sender=self)
        post_migrate.connect(after, sender=self)

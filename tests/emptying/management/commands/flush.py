"""Empties the database between tests that commit, which the record's triggers refuse: they stand aside meanwhile."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import flush
from django.db import connections

from runs.audit.append_only import put_up, take_down


class Command(flush.Command):
    def handle(self, **options: Any) -> None:
        connection = connections[options["database"]]
        take_down(connection)
        try:
            super().handle(**options)
        finally:
            put_up(connection)

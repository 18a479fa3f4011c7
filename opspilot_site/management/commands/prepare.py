"""`prepare`: brings the database to this version where no `up` does it: in containers and under systemd."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from opspilot_site.database import WrongDatabase, prepare_database
from runs.services.installation import make_setup_link


class Command(BaseCommand):
    help = "Migrate the database, seed the defaults, and print the set-up link while there is no administrator."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            copy = prepare_database(demo=False)
        except WrongDatabase as error:
            raise CommandError(str(error), returncode=2) from None
        self.stdout.write("The database is ready." + (f" The copy from before is {copy}." if copy else ""))
        if token := make_setup_link():
            self.stdout.write(f"Make the administrator here (works once): {settings.PUBLIC_URL}/setup/{token}")

"""`./opspilot restore FILE`: what `backup` wrote becomes the installation's database again."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from opspilot_site.backups import CannotBackUp, restore
from opspilot_site.stack import CannotStart, data_folder


class Command(BaseCommand):
    help = "Bring a backup back. The present database is moved aside, not deleted. Stop `up` first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="what ./opspilot backup wrote")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with data_folder():
                aside = restore(options["file"])
        except (CannotBackUp, CannotStart) as error:
            raise CommandError(str(error), returncode=2) from None
        self.stdout.write("Restored." + (f" What was there before is in {aside}." if aside else ""))

"""`./opspilot backup FILE`: the database and its keys in one file, while everything goes on."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from opspilot_site.backups import CannotBackUp, back_up
from runs.presentation.formats import size


class Command(BaseCommand):
    help = "Copy the database and its keys into one file. Keep it like a password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="for example opspilot.tar.gz; it may not exist yet")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            back_up(options["file"])
        except CannotBackUp as error:
            raise CommandError(str(error), returncode=2) from None
        self.stdout.write(f"{options['file']}: {size(options['file'].stat().st_size)}")

"""`cancel RUN`: end a run now."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from runs.services.errors import Refused
from runs.services.runs import cancel_run
from runs.shell import own_run, shell_actor


class Command(BaseCommand):
    help = "End a run now; its open requests are no longer valid. Acts as OPSPILOT_TOKEN's user, else as this shell's."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", type=int, help="number of the run")
        parser.add_argument("--reason", default="", help="kept with the run")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            actor = shell_actor()
            run = cancel_run(own_run(options["run"], actor).pk, actor, options["reason"])
        except Refused as refused:
            raise CommandError(str(refused), returncode=1) from None
        self.stdout.write(f"Run {run.pk} is cancelled.")

"""`halt`: the global stop switch. No run takes a step, and no effect starts, until `halt --release`."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from runs.services.actors import Actor
from runs.services.errors import Refused
from runs.services.halt import go_on, halt_all


class Command(BaseCommand):
    help = "Stop every run at its next step, on all machines; --release lets them go on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--reason", default="", help="why; shown on every page")
        parser.add_argument("--release", action="store_true", help="let runs move again")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = Actor.shell(getpass.getuser())
        try:
            if options["release"]:
                go_on(actor)
                self.stdout.write("Runs go on; those that were waiting are found within seconds.")
            else:
                halt_all(actor, options["reason"])
                self.stdout.write("Everything stops at its next step. Release it with ./opspilot halt --release.")
        except Refused as refusal:
            raise CommandError(str(refusal), returncode=2) from None

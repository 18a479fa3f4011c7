"""`./opspilot up`: dashboard, API, workers and reconciler for real use, until Ctrl-C."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from opspilot_site.database import WrongDatabase, prepare_database
from opspilot_site.greeting import forwarding_hint, headline
from opspilot_site.redis_server import NoRedis
from opspilot_site.stack import Address, CannotStart, check_machine, data_folder, start_stack
from opspilot_site.supervisor import StartFailed, Supervisor
from runs.services.installation import make_setup_link


class Command(BaseCommand):
    help = "Start dashboard, API, workers and reconciler for real use, with an embedded Redis unless REDIS_URL is set."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: this machine only)")
        parser.add_argument("--port", type=int, default=settings.PORT, help=f"default {settings.PORT}")
        parser.add_argument("--workers", type=int, default=settings.WORKERS, help=f"default {settings.WORKERS}")
        parser.add_argument("--reload", action="store_true", help="restart when the code changes")

    def handle(self, *args: Any, **options: Any) -> None:
        address = Address(options["host"], options["port"])
        supervisor = Supervisor(self._say, reload=options["reload"])
        try:
            with data_folder(), supervisor.signals():
                check_machine(address)
                self._prepare()
                start_stack(supervisor, address, options["workers"])
                if not supervisor.is_stopping:
                    self._greet(address)
                supervisor.watch()
                self._say("Stopped. Runs are safe and go on at the next start.")
        except (CannotStart, NoRedis, WrongDatabase) as error:
            raise CommandError(str(error), returncode=2) from None
        except StartFailed as error:
            raise CommandError(str(error), returncode=1) from None

    def _prepare(self) -> None:
        try:
            copy = prepare_database(demo=False)
        except DatabaseError as error:
            raise CannotStart(f"The database does not answer: {str(error).strip()}") from None
        if copy:
            self._say(f"✓ database   brought up to date; the copy from before is {copy}")

    def _greet(self, address: Address) -> None:
        self._say(headline())
        self._say(f"Dashboard    {address.url}        Ctrl-C stops everything; data in {settings.DATA_DIR}")
        if token := make_setup_link():
            self._say(f"First start  make the administrator here (works once): {address.url}/setup/{token}")
        if settings.OVER_SSH:
            self._say(forwarding_hint(address.port))

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

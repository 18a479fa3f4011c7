"""`./opspilot screenshots`: makes the pictures of the README anew, from a demo of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from opspilot_site.cast import seed_cast
from opspilot_site.database import prepare_database
from opspilot_site.incident import DEFAULT_SCENARIO, make_incident
from opspilot_site.stack import Address, CannotStart, check_machine, data_folder, start_stack
from opspilot_site.supervisor import StartFailed, Supervisor
from opspilot_site.test_machine import chromium
from runs.demo_links import demo_link
from runs.models import Run
from runs.services.actors import Actor
from runs.services.runs import create_run
from runs.services.teams import default_team
from runs.sources import chosen_sources

PATIENCE_S = 120
SEED = 7314  # the pictures show the same incident each time


class Command(BaseCommand):
    help = "Make docs/screenshots anew with Chromium."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=settings.PORT + 1)

    def handle(self, *args: Any, **options: Any) -> None:
        browser = chromium()
        if not settings.DEMO or browser is None:
            raise CommandError("Start this as ./opspilot screenshots, with Chromium installed.", returncode=2)
        supervisor = Supervisor(self.stderr.write)
        address = Address("127.0.0.1", options["port"])
        try:
            with data_folder(), supervisor.signals():
                check_machine(address)
                order = {"chromium": browser, "url": address.url, **self._stage(supervisor, address)}
                take = settings.BASE_DIR / "docs" / "screenshots" / "take.py"
                subprocess.run([sys.executable, take, json.dumps(order)], check=True)  # noqa: S603  our own script
        except (CannotStart, StartFailed) as error:
            raise CommandError(str(error), returncode=2) from None

    def _stage(self, supervisor: Supervisor, address: Address) -> dict[str, str]:
        """An investigation that waits for its approval; answers the log-in links."""
        prepare_database(demo=True)
        people = {user.username: user for user in seed_cast()}
        incident = make_incident(DEFAULT_SCENARIO, SEED)
        start_stack(supervisor, address, settings.WORKERS)
        run = create_run(
            goal=incident.goal, team=default_team(), actor=Actor.person(people["alice"]), origin="demo",
            sources=chosen_sources(["demo"]), as_of=incident.as_of,
        ).run  # fmt: skip
        deadline = time.monotonic() + PATIENCE_S
        supervisor.watch(until=lambda: Run.objects.get(pk=run.pk).is_waiting or time.monotonic() > deadline)
        return {name: address.url + demo_link(people[name]) for name in ("alice", "bob")}

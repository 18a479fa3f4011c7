"""`reconcile`: enqueues runs that nobody drives. `up` and docker-compose start it; several are harmless."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from runs.reconcile import reconcile_forever, reconcile_once


class Command(BaseCommand):
    help = "Enqueue runs that should move and that nobody drives, and let approvals expire."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="make one pass and end")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["once"]:
            reconcile_forever()
        self.stdout.write(f"{reconcile_once()} runs enqueued")

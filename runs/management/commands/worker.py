"""`worker`: drives runs from the queue until it is told to stop. `up` and docker-compose start it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from runs import queue


class Command(BaseCommand):
    help = "Drive runs from the queue until told to stop."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--burst", action="store_true", help="end when the queue is empty")
        parser.add_argument("--check", action="store_true", help="only say whether a worker of this host is alive")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["check"]:
            queue.work(burst=options["burst"])
        elif not queue.works_here():
            raise CommandError("No worker of this host is known to Redis.")

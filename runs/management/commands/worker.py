"""`worker`: drives runs from the queue until it is told to stop. `up` and docker-compose start it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from runs import queue


class Command(BaseCommand):
    help = "Drive runs from the queue until told to stop."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--burst", action="store_true", help="end when the queue is empty")

    def handle(self, *args: Any, **options: Any) -> None:
        queue.work(burst=options["burst"])

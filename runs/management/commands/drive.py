"""`drive RUN`: drives one run in this process alone, as workers do for a run during which a process died."""

from __future__ import annotations

import signal
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.module_loading import import_string

from runs import queue


class Command(BaseCommand):
    help = "Drive one run in this process until it waits or ends."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        signal.signal(signal.SIGTERM, lambda *_: queue.stop())
        queue.die_with_parent()
        import_string(settings.OPSPILOT_DRIVER_ALONE)(options["run"])

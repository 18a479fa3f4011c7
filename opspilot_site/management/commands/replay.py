"""`replay RUN`: walks a run again from its recordings and compares every Step. Exit 0 the same, 1 not, 2 cannot."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from opspilot_site.replay import Missing, Replay, replay
from runs.models import Run


class Command(BaseCommand):
    help = "Walk an ended run again from what was recorded, with no outside call, and compare every step."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", type=int)
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        run = Run.objects.filter(pk=options["run"]).first()
        if run is None:
            self.stderr.write(f"No such run: {options['run']}.")
            sys.exit(2)
        try:
            found = replay(run)
        except Missing as missing:
            self.stderr.write(str(missing))
            sys.exit(2)
        self.stdout.write(json.dumps(asdict(found)) if options["json"] else _in_words(run, found))
        sys.exit(1 if found.difference else 0)


def _in_words(run: Run, found: Replay) -> str:
    if found.difference is None:
        return f"Run {run.pk}: {found.steps} steps, every one the same. Nothing outside was asked."
    one = found.difference
    return (
        f"Run {run.pk} differs at step {one.seq}.\n"
        f"  recorded  {one.recorded or 'the run had ended'}\n  replayed  {one.replayed or 'the walk has ended'}"
    )

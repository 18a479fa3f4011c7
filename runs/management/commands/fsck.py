"""`fsck`: checks the invariants of the record on its rows."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from runs.invariants import check_all
from runs.models import Run


class Command(BaseCommand):
    help = "Check what must always be true of the record (docs/operations.md). Exit 1 on any hit."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one object {runs, hits}")

    def handle(self, *args: Any, **options: Any) -> None:
        runs, hits = Run.objects.count(), check_all()
        if options["json"]:
            self.stdout.write(json.dumps({"runs": runs, "hits": [hit.as_json() for hit in hits]}, indent=2))
        else:
            for hit in hits:
                self.stdout.write(str(hit))
        if hits:
            raise CommandError(f"{len(hits)} of the record's invariants do not hold.", returncode=1)
        if not options["json"]:
            self.stdout.write(f"{runs} runs checked: everything holds.")

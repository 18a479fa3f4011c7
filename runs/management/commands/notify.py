"""`notify test`: sends a message to every address of OPSPILOT_NOTIFY and says which took it."""

from __future__ import annotations

import json
import uuid
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from runs.notify.courier import send
from runs.notify.targets import Target, configured_targets
from runs.notify.wording import trial
from runs.presentation.display import reveal


class Command(BaseCommand):
    help = "Send a test message to every address of OPSPILOT_NOTIFY and say which took it. Exit 1 if one did not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        test = verbs.add_parser("test", help="one message to each address, now")
        test.add_argument("--to", default="", metavar="ADDRESS", help="whom an address with {people} tries")
        test.add_argument("--json", action="store_true", help="a list of {target, id, error}")

    def handle(self, *args: Any, **options: Any) -> None:
        targets = configured_targets()
        if not targets:
            raise CommandError("OPSPILOT_NOTIFY names no address; docs/operations.md shows some.", returncode=2)
        tried = [_try(target, options["to"]) for target in targets]
        if options["json"]:
            self.stdout.write(json.dumps(tried, ensure_ascii=False, indent=2))
        else:
            for one in tried:
                glyph, words = ("✗", f": {one['error']}") if one["error"] else ("✓", "")
                self.stdout.write(f"{glyph} {reveal(one['target'] + words)}")
        if failed := sum(bool(one["error"]) for one in tried):
            raise CommandError(f"{failed} of {len(tried)} did not take it.", returncode=1)


def _try(target: Target, address: str) -> dict[str, str]:
    uid = str(uuid.uuid4())
    if target.is_personal and not address:
        error = "it goes to each person's own address: name one to try with --to"
    else:
        error = send(target, trial(uid), address)
    return {"target": target.label, "id": uid, "error": error}

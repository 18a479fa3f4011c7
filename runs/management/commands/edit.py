"""`edit ID --set JSON`: change the arguments of a request; other people vote on the new one."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from runs.api.parsers import parse_strictly
from runs.management.deciding import REFUSED, USAGE, ask_token, in_words, visible_request
from runs.models import Approval
from runs.presentation.display import reveal
from runs.services.edits import changes_between, edit_request
from runs.services.errors import Refused
from runs.shell import shell_voter


class Command(BaseCommand):
    help = (
        "Change arguments of a request. It becomes void and a new one is made, on which other people vote; the planner "
        "is told. Needs a personal token (OPSPILOT_TOKEN)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", type=int, help="number of the request, as `runs` and the pages show it")
        parser.add_argument("--set", required=True, help='what to change, as JSON: {"title": "…"}; - reads stdin')

    def handle(self, *args: Any, **options: Any) -> None:
        changes = _changes(options["set"])
        try:
            editor = shell_voter(ask_token)
            old = visible_request(options["id"], editor)
            wanted = {**json.loads(old.args_canonical), **changes}
            new = edit_request(old.pk, user=editor, args=wanted, args_sha256=old.args_sha256, door="cli")
        except Refused as refused:
            raise CommandError(str(refused), returncode=REFUSED) from None
        self.stdout.write(in_words(new))
        self.stdout.write("\n".join(_difference(old, new)))
        self.stdout.write(f"Request {old.pk} is void; other people vote on request {new.pk}.")


def _changes(text: str) -> dict[str, Any]:
    try:
        changes = parse_strictly(sys.stdin.read() if text == "-" else text)
    except ValueError as error:
        raise CommandError(f"--set is not acceptable JSON: {error}.", returncode=USAGE) from None
    if not isinstance(changes, dict):
        raise CommandError('--set takes an object: {"title": "…"}.', returncode=USAGE)
    return changes


def _difference(old: Approval, new: Approval) -> list[str]:
    before, after = json.loads(old.args_canonical), json.loads(new.args_canonical)
    lines = ["  changed"]
    for change in changes_between(before, after):
        for mark, value in (("-", change.before), ("+", change.after)):
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            lines += [f"    {mark} {reveal(change.name)}: {reveal(line)}" for line in text.split("\n")]
    return lines

"""`bench`: hands over to the subcommands of the room bench/, which measures and prints."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from importlib import import_module
from types import ModuleType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

# Loaded by name when asked for: nothing of the product may need the room bench, which a package may leave out.
SUBCOMMANDS = sorted(path.parent.name for path in settings.BASE_DIR.glob("bench/*/command.py"))


class Command(BaseCommand):
    help = "Measure OpsPilot: quality on labelled incidents, speed beside its peers."
    requires_system_checks = []  # it brings databases of its own

    def add_arguments(self, parser: ArgumentParser) -> None:
        kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
        for name in SUBCOMMANDS:
            module = _module(name)
            module.add_arguments(kinds.add_parser(name, help=module.help))

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            sys.exit(_module(options["kind"]).run(options))
        except ValueError as error:
            raise CommandError(str(error), returncode=2) from None


def _module(name: str) -> ModuleType:
    return import_module(f"bench.{name}.command")

"""Django's command line as people at a shell meet it: an error is its sentence alone. The commands live elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable

from django.core.management import ManagementUtility
from django.core.management.base import BaseCommand, OutputWrapper

_CLASS_NAME = "CommandError: "  # Django puts it before what the command has to say


class Sentences(OutputWrapper):
    """What is written to stderr, without the name of a Python class before it."""

    def write(  # type: ignore[override]  # the stubs take it for a plain file; Django's own has these arguments
        self, msg: str = "", style_func: Callable[[str], str] | None = None, ending: str | None = None
    ) -> None:
        super().write(msg.removeprefix(_CLASS_NAME), style_func, ending)


class CommandLine(ManagementUtility):
    def fetch_command(self, subcommand: str) -> BaseCommand:
        command = super().fetch_command(subcommand)
        command.stderr = Sentences(sys.stderr)
        command.stderr.style_func = command.style.ERROR
        return command

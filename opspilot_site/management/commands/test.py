"""`./opspilot test`: the project's tests on SQLite and PostgreSQL; says at the end what the machine lacks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from argparse import REMAINDER, ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from opspilot_site.test_machine import lacking, postgres_programs, throwaway_postgres

NO_TESTS = 5  # pytest's exit code when nothing was selected


class Command(BaseCommand):
    help = (
        "Run the tests: the fast tier, with --ci the slow ones too, with --all every one. Other words go to pytest, "
        "for example ./opspilot test tests/tools -k ranges; then they run on SQLite only, unless --postgres."
    )
    requires_system_checks: list[str] = []  # the tests have one for them

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--ci", action="store_true", help="the slow tests too, at their smallest size")
        parser.add_argument("--all", action="store_true", help="every test, at every size; an hour")
        parser.add_argument("--postgres", action="store_true", help="on PostgreSQL as well, with other words too")
        parser.add_argument("words", nargs=REMAINDER, help="for pytest")

    def run_from_argv(self, argv: list[str]) -> None:
        # pytest's own options (-k, -x) are not Django's: everything but ours goes on untouched.
        ours = [word for word in argv[2:] if word in ("--ci", "--all", "--postgres", "-h", "--help")]
        self._words = [word for word in argv[2:] if word not in ours]
        super().run_from_argv([*argv[:2], *ours])

    def handle(self, *args: Any, **options: Any) -> None:
        words = self._words
        # So that a database of ours is stopped and a pytest of ours is ended when CI gives up on us.
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        fast = [] if options["all"] else ["-m", "not slow"]
        tier = ["-m", "not long"] if options["ci"] else fast
        status = self._pytest("SQLite", [*tier, *words])
        missing = lacking()
        programs = postgres_programs()
        if programs and (options["postgres"] or not words):
            with throwaway_postgres(programs) as url:
                on_postgres = self._pytest("PostgreSQL", ["--database-only", *fast, *words], DATABASE_URL=url)
            status = status or on_postgres
        for name, how in missing.items():
            self._say(f"NOT TESTED: what needs {name}, which this machine lacks. Install it: {how}")
        sys.exit(status or (1 if missing and settings.CI else 0))

    def _pytest(self, database: str, words: list[str], **extra: str) -> int:
        self._say(f"\nTests on {database}")
        workers = ["-n", str(min(os.cpu_count() or 1, 8))] if _is_broad(words) else []
        prefix = ["env", *(f"{name}={value}" for name, value in extra.items())] if extra else []
        # Said here too: manage.py has put the product's settings into the environment, which pytest would prefer.
        command = [*prefix, sys.executable, "-m", "pytest", "--ds=tests.settings", "-q", *workers, *words]
        status = subprocess.run(command, cwd=settings.BASE_DIR, check=False).returncode  # noqa: S603  our own words
        return 0 if status == NO_TESTS and extra else status

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


def _is_broad(words: list[str]) -> bool:
    """Several processes pay for folders, not for single files."""
    return not any(".py" in word or word in ("-n", "-x", "--pdb", "-s") for word in words)

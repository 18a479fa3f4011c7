"""`./opspilot investigate "goal"`: one investigation in this terminal, driven in this process."""

from __future__ import annotations

import getpass
import json
import logging
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from opspilot_site import __version__
from opspilot_site.database import WrongDatabase, prepare_database
from opspilot_site.follow import Follower, look_of
from opspilot_site.greeting import planner_words, short
from opspilot_site.inprocess import OWNER, Interrupt, drive_to_rest
from opspilot_site.reading import NothingToRead, read
from opspilot_site.terminal import closing, opening
from runs.models import Run, Team
from runs.presentation.report_text import report_markdown
from runs.services.actors import Actor
from runs.services.errors import Refused
from runs.services.runs import create_run
from runs.services.teams import default_team, home_team
from runs.services.tokens import user_for
from runs.states import RunState, Scope

CONCLUDED, FAILED, USAGE, PARKED, INTERRUPTED = 0, 1, 2, 3, 130

LOG = settings.DATA_DIR / "logs" / "investigate.log"
LINE = "%(asctime)s %(levelname)s %(name)s %(message)s"


class Command(BaseCommand):
    help = (
        "Investigate a goal here and now. The stream goes to stderr, the report to stdout. "
        "Exit codes: 0 concluded, 3 parked at an approval, 1 failed, 2 usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("goal", help='what to find out, for example "why did checkout page?"')
        parser.add_argument("--data", action="append", default=[], metavar="DIR", help="a folder with logs and metrics")
        parser.add_argument("--source", action="append", default=[], metavar="NAME", help="a configured source")
        parser.add_argument(
            "--json", action="store_true", help="print one object {run_id, state, report}, nothing else"
        )
        parser.add_argument("-q", "--quiet", action="store_true", help="print only the report")

    def handle(self, *args: Any, **options: Any) -> None:
        log_to_file()
        is_quiet = options["quiet"] or options["json"]
        try:
            run = self._create(options, is_quiet)
        except (NothingToRead, Refused, WrongDatabase) as error:
            raise CommandError(str(error), returncode=USAGE) from None
        interrupt = Interrupt()
        with interrupt.caught():
            run = self._drive(run, interrupt, is_quiet)
        self._print(run, options["json"])
        if not is_quiet:
            self._say_where(run)
        sys.exit(INTERRUPTED if interrupt.came and run.is_active else exit_code(run))

    def _create(self, options: dict[str, Any], is_quiet: bool) -> Run:
        prepare_database()
        reading = read(options["data"], options["source"])
        actor, team = who_asks()
        run = create_run(
            goal=options["goal"], team=team, actor=actor, origin="cli", sources=reading.sources, as_of=reading.as_of,
            leased_to=OWNER,
        ).run  # fmt: skip
        if not is_quiet:
            self._say(f"OpsPilot {__version__} · {planner_words()} · {reading.in_words()}")
            self._say("\n".join(opening(run)))
        return run

    def _drive(self, run: Run, interrupt: Interrupt, is_quiet: bool) -> Run:
        if is_quiet:
            return drive_to_rest(run, interrupt)
        with Follower(run.pk).beside():
            return drive_to_rest(run, interrupt)

    def _print(self, run: Run, as_json: bool) -> None:
        if as_json:
            print(
                json.dumps({"run_id": run.pk, "state": run.state, "report": run.report}, ensure_ascii=False, indent=2)
            )
        else:
            print(report_markdown(run))

    def _say_where(self, run: Run) -> None:
        self._say("\n".join(closing(run, timezone.now(), look_of(sys.stderr), run.sub_runs.all())))
        self._say(f"Next:   {what_next(run)}")

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


def log_to_file() -> None:
    """The terminal shows the stream; what only we understand goes to a log."""
    LOG.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(LOG)
    handler.setFormatter(logging.Formatter(LINE))
    logging.getLogger().handlers = [handler]


def who_asks() -> tuple[Actor, Team]:
    """The user of OPSPILOT_TOKEN, else the shell's user, who can never vote. Raises Refused for a wrong token."""
    if not settings.TOKEN:
        return Actor.shell(getpass.getuser()), default_team()
    user = user_for(settings.TOKEN, Scope.WRITE)
    return Actor.person(user), home_team(user)


def exit_code(run: Run) -> int:
    if run.state == RunState.DONE:
        return CONCLUDED
    return FAILED if run.is_terminal else PARKED


def what_next(run: Run) -> str:
    """One sentence: the command that goes on from here."""
    waiting = run.approvals.filter(state="PENDING").values_list("pk", flat=True)
    if numbers := ", ".join(map(str, waiting)):
        return (
            f"Parked at approval {numbers}; decide it with ./opspilot approve {waiting[0]}, "
            "and it goes on under ./opspilot up"
        )
    if run.is_active:
        return f"Run {run.pk} is kept at its last step and goes on under ./opspilot up"
    if run.state == RunState.FAILED:
        return f"./opspilot doctor says what is configured and what answers; the log is {short(LOG)}"
    return "./opspilot up shows the run with its evidence in the browser"

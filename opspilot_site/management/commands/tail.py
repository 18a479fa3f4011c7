"""`tail RUN`: follow a run until it waits for somebody or ends."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from opspilot_site.follow import POLL_S, Follower, look_of
from opspilot_site.terminal import closing, opening
from runs.api.serializers.runs import StepRow
from runs.models import Run
from runs.services.errors import Refused, not_found
from runs.shell import shell_runs


class Command(BaseCommand):
    help = "Follow a run's steps until it waits for approval, is held, or ends."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", type=int, help="number of the run")
        parser.add_argument("--json", action="store_true", help="one step a line, as GET /api/runs/RUN/steps shows it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            run = shell_runs().filter(pk=options["run"]).first()
            if run is None:
                raise not_found("run")
        except Refused as refused:
            raise CommandError(str(refused), returncode=1) from None
        try:
            self._as_json(run) if options["json"] else self._as_words(run)
        except KeyboardInterrupt:
            sys.exit(130)

    def _as_words(self, run: Run) -> None:
        out: Any = self.stdout
        follower = Follower(run.pk, out)
        self.stdout.write("\n".join(opening(run)))
        while not is_at_rest(run := follower.run()):
            follower.catch_up()
            time.sleep(POLL_S)
        follower.catch_up()
        self.stdout.write("\n".join(closing(run, timezone.now(), look_of(out), run.sub_runs.all())))

    def _as_json(self, run: Run) -> None:
        seen = 0
        while True:
            run.refresh_from_db(fields=["state", "hold_reason", "hold_until"])
            at_rest = is_at_rest(run)  # before the steps are read, so that the last of them are not missed
            for step in run.steps.filter(seq__gt=seen).order_by("seq"):
                self.stdout.write(json.dumps(StepRow(step).data, ensure_ascii=False))
                seen = step.seq
            if at_rest:
                return
            time.sleep(POLL_S)


def is_at_rest(run: Run) -> bool:
    """Nothing moves by itself: it has ended, waits for a vote, or is held until a person says otherwise."""
    is_held = bool(run.hold_reason) and run.hold_until is None and not run.waits_for_sub_runs
    return is_held or not run.is_active

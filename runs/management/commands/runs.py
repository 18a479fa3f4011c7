"""`runs`: the investigations as a table."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich.console import Console
from rich.table import Table
from rich.text import Text

from runs.api.serializers.runs import RunSummary
from runs.models import Run
from runs.models.approval import open_requests_of_runs
from runs.models.run import sub_runs_under_way_of_runs
from runs.presentation.display import reveal
from runs.presentation.formats import duration, money
from runs.presentation.words import badge_of
from runs.services.errors import Refused
from runs.shell import shell_runs
from runs.states import RunState

SHOWN = 20
PIPE_WIDTH = 200  # columns where there is no terminal: wide enough to cut nothing that matters


class Command(BaseCommand):
    help = f"List the newest {SHOWN} runs; those of OPSPILOT_TOKEN's user where it is set."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help=f"not only the newest {SHOWN}")
        parser.add_argument("--state", action="append", choices=RunState.values, help="may be given more than once")
        parser.add_argument("--sub-runs", action="store_true", help="also the parts that runs were divided into")
        parser.add_argument("--json", action="store_true", help="the same fields as GET /api/runs")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = (
                shell_runs()
                .select_related("team")
                .prefetch_related(open_requests_of_runs(), sub_runs_under_way_of_runs())
            )
        except Refused as refused:
            raise CommandError(str(refused), returncode=1) from None
        if not options["sub_runs"]:
            found = found.filter(parent=None)
        if options["state"]:
            found = found.filter(state__in=options["state"])
        runs = list(found if options["all"] else found[:SHOWN])
        if options["json"]:
            self.stdout.write(json.dumps(RunSummary(runs, many=True).data, ensure_ascii=False, indent=2))
        elif not runs:
            self.stdout.write('No investigations yet. Start one: ./opspilot investigate "why did checkout page?"')
        else:
            self._print(_table(runs))

    def _print(self, table: Table) -> None:
        out: Any = self.stdout
        Console(file=out, width=None if out.isatty() else PIPE_WIDTH, highlight=False).print(table)


def _table(runs: Iterable[Run]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("run", justify="right")
    table.add_column("state", no_wrap=True)
    table.add_column("answer, or goal", ratio=1)
    for name in ("service", "started by", "age", "cost"):
        table.add_column(name, no_wrap=True)
    for run in runs:
        table.add_row(*_row(run))
    return table


def _row(run: Run) -> list[Text]:
    now = timezone.now()
    badge = badge_of(run, now)
    # Text, not str: what came from outside holds no markup and hides no characters.
    cells = [
        str(run.pk), f"{badge.glyph} {badge.word}", " ".join(reveal(_title(run)).split())[:160],
        reveal(run.service), reveal(run.started_by.removeprefix("user:")),
        duration((now - run.created_at).total_seconds()), money(run.cost_micro_usd, run.cost_known),
    ]  # fmt: skip
    return [Text(cell) for cell in cells]


def _title(run: Run) -> str:
    words = str(run.answer or run.goal)
    return f"S{run.place} of {run.parent_id}: {words}" if run.parent_id else words

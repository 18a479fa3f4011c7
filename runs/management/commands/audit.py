"""`audit`: verify every chain, export the audit as JSON lines, let old payloads expire, note the heads now."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.dateparse import parse_date, parse_datetime
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from runs.audit.chain import Damage
from runs.audit.export import Selection, export_lines
from runs.audit.heads import BadLine, HeadsWriter
from runs.audit.heads_check import check_heads
from runs.audit.verification import Findings, count_rows, verify_all
from runs.presentation.formats import number, plural
from runs.services.errors import Refused
from runs.services.events import record_event
from runs.services.expiry import expire_payloads
from runs.shell import shell_actor

SHOWN = 20  # damages in words; --json has all that were kept


def moment(text: str) -> datetime:
    """2026-11-01, or an ISO time; UTC where no zone is given."""
    try:
        day = parse_date(text)
        at = datetime.combine(day, time()) if day else parse_datetime(text)
    except ValueError:
        at = None
    if at is None:
        raise ArgumentTypeError(f"{text!r} is no date and no time; write 2026-11-01 or 2026-11-01T12:00:00Z")
    return at if at.tzinfo else at.replace(tzinfo=UTC)


class Command(BaseCommand):
    help = "Verify the record, export it, let old payloads expire (docs/operations.md, “Audit”)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verify = verbs.add_parser("verify", help="walk every chain; exit 1 names the first row that does not hold")
        verify.add_argument("--run", type=int, help="only this run's chain, and the installation's")
        verify.add_argument("--heads", type=Path, help="the heads file; default: OPSPILOT_AUDIT_HEADS where it exists")
        verify.add_argument("--json", action="store_true", help="one object {chains, rows, lines, damages}")
        export = verbs.add_parser("export", help="JSON lines on standard output, the oldest row first")
        export.add_argument("--since", type=moment, help="2026-11-01, or an ISO time")
        export.add_argument("--run", type=int, help="only this run's steps")
        prune = verbs.add_parser("prune", help="let the payloads of ended runs expire; their digests stay chained")
        prune.add_argument("--before", type=moment, required=True, help="2026-11-01, or an ISO time")
        verbs.add_parser("heads", help="note the ends of all chains in the heads file now")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['verb']}")(options)
        except Refused as refused:
            raise CommandError(str(refused), returncode=2) from None

    def _verify(self, options: dict[str, Any]) -> None:
        findings = _walked(options["run"])
        heads = options["heads"] or (settings.AUDIT_HEADS if settings.AUDIT_HEADS.exists() else None)
        lines = self._check(findings, heads, options["run"]) if heads else 0
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(findings, lines), indent=2))
        else:
            for damage in findings.damages[:SHOWN]:
                self.stdout.write(str(damage))
        if findings.n_damages:
            raise CommandError(f"{plural(findings.n_damages, 'chain')} of {findings.chains} broken.", returncode=1)
        if not options["json"]:
            beside = f", as {plural(lines, 'line')} of {heads} say" if heads else "; there is no heads file"
            counted = f"{plural(findings.chains, 'chain')} intact, {number(findings.rows)} rows verified"
            self.stdout.write(f"{counted}{beside}.")

    def _check(self, findings: Findings, heads: Path, run: int | None) -> int:
        try:
            lines, damages = check_heads(heads, run)
        except OSError as error:
            raise CommandError(f"The heads file {heads} cannot be read: {error.strerror}.", returncode=2) from None
        known = {damage.run_id for damage in findings.damages}
        for damage in damages:
            if damage.run_id not in known or damage.kind == "heads file":
                findings.add(damage)
        return lines

    def _export(self, options: dict[str, Any]) -> None:
        selection = Selection(since=options["since"], run=options["run"])
        record_event("audit_export", actor=shell_actor(), object=selection.words())
        for line in export_lines(selection):
            self.stdout.write(line, ending="")

    def _prune(self, options: dict[str, Any]) -> None:
        expired = expire_payloads(options["before"], shell_actor())
        self.stdout.write(f"{plural(expired, 'payload')} expired; every chain still verifies.")

    def _heads(self, options: dict[str, Any]) -> None:
        try:
            lines = HeadsWriter(settings.AUDIT_HEADS).write()
        except (OSError, BadLine) as error:
            raise CommandError(f"{settings.AUDIT_HEADS} was not written: {error}.", returncode=1) from None
        self.stdout.write(f"{plural(lines, 'line')} added to {settings.AUDIT_HEADS}.")


def _walked(run: int | None) -> Findings:
    columns = (TextColumn("verifying"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        task = progress.add_task("", total=count_rows(run))
        return verify_all(run, lambda rows: progress.advance(task, rows))


def _as_json(findings: Findings, lines: int) -> dict[str, Any]:
    def told(damage: Damage) -> dict[str, Any]:
        return {"run": damage.run_id, "seq": damage.seq, "kind": damage.kind, "words": str(damage)}

    return {
        "chains": findings.chains, "rows": findings.rows, "lines": lines,
        "damages": [told(damage) for damage in findings.damages],
    }  # fmt: skip

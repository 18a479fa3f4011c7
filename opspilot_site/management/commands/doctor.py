"""`doctor`: what is configured, what answers, what is missing, how fresh each source is."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agent.jobs import tool_host
from opspilot_site.diagnosis import Finding, Verdict, examine
from runs.presentation.display import reveal


class Command(BaseCommand):
    help = "Say what is configured, what answers and what is missing. Exit 1 if something that is needed is broken."
    requires_system_checks: list[str] = []  # they are among the findings

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--ask-model",
            action="store_true",
            help="send the model a few tokens: does it answer, and what does it lack?",
        )
        parser.add_argument("--json", action="store_true", help="one object {verdict, findings}")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            findings = examine(options["ask_model"])
        finally:
            tool_host().stop()
        broken = [finding for finding in findings if finding.verdict == Verdict.BROKEN]
        if options["json"]:
            verdict = Verdict.BROKEN if broken else Verdict.OK
            body = {"verdict": verdict, "findings": [finding.as_json() for finding in findings]}
            self.stdout.write(json.dumps(body, ensure_ascii=False, indent=2))
        else:
            self.stdout.write("\n".join(line for finding in findings for line in _lines(finding)))
        if broken:
            raise CommandError(f"Broken: {', '.join(dict.fromkeys(f.name for f in broken))}.", returncode=1)


def _lines(finding: Finding) -> list[str]:
    first = f"{finding.verdict.glyph} {finding.name:<16} {reveal(finding.words)}"
    return [first, f"{'':19}{reveal(finding.hint)}"] if finding.hint else [first]

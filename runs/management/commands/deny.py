"""`deny ID --reason`: the call of a request never runs, and the run is told why."""

from __future__ import annotations

from argparse import ArgumentParser

from runs.management.deciding import DecisionCommand


class Command(DecisionCommand):
    help = "Deny a request; the run goes on without it and is told the reason. Needs a personal token (OPSPILOT_TOKEN)."
    is_approval = False
    question = "Deny this?"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--reason", required=True, help="at least 10 characters; the run is told")

"""`deny ID --reason`: the call of a request never runs; or say that one whose answer was lost did not happen."""

from __future__ import annotations

from argparse import ArgumentParser

from runs.management.deciding import DecisionCommand


class Command(DecisionCommand):
    help = (
        "Deny a request; the run goes on without it and is told the reason. On the question “Did this happen?”: it did "
        "not. Needs a personal token (OPSPILOT_TOKEN)."
    )
    is_approval = False
    question = "Deny this?"
    answer = "it did not happen"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--reason", default="", help="at least 10 characters, but for a question; the run is told")

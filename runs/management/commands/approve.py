"""`approve ID`: let the call of a request run; or say that one whose answer was lost did happen."""

from __future__ import annotations

from runs.management.deciding import DecisionCommand


class Command(DecisionCommand):
    help = (
        "Approve a request after showing exactly what will run; on the question “Did this happen?”: it happened. "
        "Needs a personal token (OPSPILOT_TOKEN)."
    )
    is_approval = True
    question = "Approve exactly this?"
    answer = "it happened"

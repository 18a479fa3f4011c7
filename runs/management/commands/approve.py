"""`approve ID`: let the call of a request run."""

from __future__ import annotations

from runs.management.deciding import DecisionCommand


class Command(DecisionCommand):
    help = "Approve a request after showing exactly what will run. Needs a personal token (OPSPILOT_TOKEN)."
    is_approval = True
    question = "Approve exactly this?"

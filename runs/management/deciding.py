"""What `approve` and `deny` share: show exactly what will run, ask, and give one person's word."""

from __future__ import annotations

import getpass
import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from runs.display import reveal
from runs.formats import duration
from runs.models import Approval
from runs.permissions import may
from runs.services.approvals import decide_approval
from runs.services.errors import Refused, forbidden, not_found
from runs.shell import shell_voter
from runs.states import ApprovalState

REFUSED, USAGE = 1, 2


class DecisionCommand(BaseCommand):
    """Exit codes: 0 decided, 1 refused or not confirmed, 2 nothing to ask with."""

    is_approval: bool
    question: str

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", type=int, help="number of the request, as `runs` and the pages show it")
        parser.add_argument("--yes", action="store_true", help="do not ask; for scripts")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            voter = shell_voter(self._ask_token)
            approval = self._open_request(options["id"], voter)
            self.stdout.write(in_words(approval))
            if not options["yes"] and not self._is_confirmed():
                raise CommandError("Nothing was decided.", returncode=REFUSED)
            decided = decide_approval(
                approval.pk, user=voter, approve=self.is_approval, args_sha256=approval.args_sha256,
                reason=options.get("reason") or "", door="cli",
            )  # fmt: skip
        except Refused as refused:
            raise CommandError(str(refused), returncode=REFUSED) from None
        self.stdout.write(_after(decided, voter))

    def _open_request(self, approval_id: int, voter: User) -> Approval:
        approval = Approval.objects.visible_to(voter).select_related("run__team").filter(pk=approval_id).first()
        if approval is None:
            raise not_found("approval")
        if approval.state == ApprovalState.PENDING and not (verdict := may(voter, "vote", approval)):
            raise forbidden(verdict.why)
        return approval

    def _ask_token(self) -> str:
        if not sys.stdin.isatty():
            raise CommandError("Set OPSPILOT_TOKEN to your personal token; there is nobody to ask.", returncode=USAGE)
        return getpass.getpass("Personal token (not shown): ")

    def _is_confirmed(self) -> bool:
        if not sys.stdin.isatty():
            raise CommandError("There is nobody to ask; add --yes once you have read it.", returncode=USAGE)
        return input(f"{self.question} [y/N] ").strip().lower() in ("y", "yes")


def in_words(approval: Approval) -> str:
    """The request in full, hidden characters spelled out: what the person agrees to is what the digest is of."""
    preview, left = approval.preview, (approval.expires_at - timezone.now()).total_seconds()
    lines = [
        f"Request {approval.pk} of run {approval.run_id}: {reveal(preview.get('sentence', approval.tool))}",
        f"  where      {reveal(preview.get('destination', '')) or 'not said'}",
        f"  risk       {approval.risk}" + (f"; {reveal(preview['undo'])}" if preview.get("undo") else ""),
        f"  asked by   {reveal(approval.requested_by)}",
        f"  votes      {approval.votes.filter(approve=True).count()} of {approval.required}; "
        + (f"expires in {duration(left)}" if left > 0 else "expired"),
        f"  runs       {approval.tool} with exactly these arguments, sha256 {approval.args_sha256}:",
    ]
    for name, value in json.loads(approval.args_canonical).items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        first, *more = reveal(text).split("\n")
        lines += [f"    {reveal(name)}: {first}", *(f"      {line}" for line in more)]
    if approval.why:
        lines.append(f"  why        (written by the planner, not checked) {reveal(approval.why)}")
    return "\n".join(lines)


def _after(approval: Approval, voter: User) -> str:
    if approval.state == ApprovalState.PENDING:
        given = approval.votes.filter(approve=True).count()
        return f"{voter.username}'s vote is kept: {given} of {approval.required}. The run waits for the others."
    word = ApprovalState(approval.state).label.lower()
    return f"Request {approval.pk} is {word}; run {approval.run_id} goes on under ./opspilot up."

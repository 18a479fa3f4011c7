"""What `approve` and `deny` share: show exactly what will run, ask, and give one person's word."""

from __future__ import annotations

import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from runs.models import Approval
from runs.permissions import may
from runs.presentation.display import reveal
from runs.presentation.formats import clock, duration
from runs.presentation.review import arguments_of
from runs.services.approvals import decide_approval, note_refusal
from runs.services.errors import Refused, forbidden, not_found
from runs.shell import shell_voter
from runs.states import ApprovalState

REFUSED, USAGE = 1, 2
ANSWERED = {ApprovalState.APPROVED: "It happened.", ApprovalState.DENIED: "It did not happen."}


class DecisionCommand(BaseCommand):
    """Exit codes: 0 decided, 1 refused or not confirmed, 2 nothing to ask with."""

    is_approval: bool
    question: str
    answer: str  # what the word says of a call whose answer was lost

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", type=int, help="number of the request, as `runs` and the pages show it")
        parser.add_argument("--yes", action="store_true", help="do not ask; for scripts")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            voter = shell_voter(ask_token)
            approval = self._open_request(options["id"], voter)
            self.stdout.write(in_words(approval))
            if not self.is_approval and not approval.is_question and not options["reason"]:
                raise CommandError("Say why: --reason, at least 10 characters; the run is told.", returncode=USAGE)
            if not options["yes"] and not self._is_confirmed(approval):
                raise CommandError("Nothing was decided.", returncode=REFUSED)
            decided = decide_approval(
                approval.pk, user=voter, approve=self.is_approval, args_sha256=approval.args_sha256,
                reason=options.get("reason") or "", door="cli",
            )  # fmt: skip
        except Refused as refused:
            raise CommandError(str(refused), returncode=REFUSED) from None
        self.stdout.write(_after(decided, voter))

    def _open_request(self, approval_id: int, voter: User) -> Approval:
        approval = visible_request(approval_id, voter)
        if approval.state == ApprovalState.PENDING and not (verdict := may(voter, "vote", approval)):
            note_refusal(approval, voter, verdict.why, "cli")
            raise forbidden(verdict.why)
        return approval

    def _is_confirmed(self, approval: Approval) -> bool:
        if not sys.stdin.isatty():
            raise CommandError("There is nobody to ask; add --yes once you have read it.", returncode=USAGE)
        question = f"Say that {self.answer}?" if approval.is_question else self.question
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def ask_token() -> str:
    """The personal token of whoever sits at the terminal."""
    if not sys.stdin.isatty():
        raise CommandError(
            "Deciding needs your personal token: make one under Account in the dashboard, then set OPSPILOT_TOKEN.",
            returncode=USAGE,
        )
    return getpass.getpass("Personal token (from Account in the dashboard; not shown): ")


def visible_request(approval_id: int, user: User) -> Approval:
    """The request, if this person may see it. Raises Refused."""
    found = Approval.objects.visible_to(user).select_related("run__team", "run__starter", "call").filter(pk=approval_id)
    approval: Approval | None = found.first()
    if approval is None:
        raise not_found("approval")
    return approval


def in_words(approval: Approval) -> str:
    """The request in full, hidden characters spelled out: what the person agrees to is what the digest is of."""
    lines = _question_lines(approval) if approval.is_question else _request_lines(approval)
    for argument in arguments_of(approval):
        first, *more = reveal(argument.text).split("\n")
        copied = f"  [from {', '.join(argument.copied_from)}, untrusted]" if argument.copied_from else ""
        lines += [f"    {reveal(argument.name)}:{copied} {first}", *(f"      {line}" for line in more)]
    if approval.why and not approval.is_question:
        lines.append(f"  why        (written by the planner, not checked) {reveal(approval.why)}")
    return "\n".join(lines)


def _request_lines(approval: Approval) -> list[str]:
    preview, left = approval.preview, (approval.expires_at - timezone.now()).total_seconds()
    return [
        f"Request {approval.pk} of run {approval.run_id}: {reveal(preview.get('sentence', approval.tool))}",
        f"  where      {reveal(preview.get('destination', '')) or 'not said'}",
        f"  risk       {approval.risk}" + (f"; {reveal(preview['undo'])}" if preview.get("undo") else ""),
        f"  asked by   {reveal(approval.requested_by)}",
        f"  votes      {approval.votes.filter(approve=True).count()} of {approval.required}; "
        + (f"expires in {duration(left)}" if left > 0 else "expired"),
        f"  runs       {approval.tool} with exactly these arguments, sha256 {approval.args_sha256}:",
    ]


def _question_lines(approval: Approval) -> list[str]:
    preview, call = approval.preview, approval.call
    sentence = reveal(preview.get("sentence", approval.tool))
    return [
        f"Request {approval.pk} of run {approval.run_id}: did this happen? {sentence}",
        f"  known      {reveal(approval.why)}",
        f"  look at    {reveal(preview.get('destination', '')) or 'not said'}",
        f"  for key    {call.key}",
        f"  sent       {clock(call.started_at, timezone.now(), seconds=True) or 'not known when'}",
        "  answer     ./opspilot approve says that it happened, ./opspilot deny that it did not",
        f"  sent was   {approval.tool} with exactly these arguments, sha256 {approval.args_sha256}:",
    ]


def _after(approval: Approval, voter: User) -> str:
    if approval.is_question and approval.state in ANSWERED:
        answer = ANSWERED[ApprovalState(approval.state)]
        return f"{answer} Run {approval.run_id} is told so and goes on under ./opspilot up; nothing is sent again."
    if approval.state == ApprovalState.PENDING:
        given = approval.votes.filter(approve=True).count()
        return f"{voter.username}'s vote is kept: {given} of {approval.required}. The run waits for the others."
    word = ApprovalState(approval.state).label.lower()
    return f"Request {approval.pk} is {word}; run {approval.run_id} goes on under ./opspilot up."

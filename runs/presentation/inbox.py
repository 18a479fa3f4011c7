"""The approvals a person can decide, those that wait for others, and what was decided last. Reads only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from django.contrib.auth.models import User

from runs.models import Approval
from runs.models.approval import ApprovalQuerySet
from runs.permissions import Verdict, votes_open_to
from runs.states import ApprovalState

DECIDED_SHOWN = 20
# What a list does not show: a report or a ticket's text can be a hundred times the rest of its row.
NOT_LISTED = (
    "args_canonical", "why", "operands", "run__report", "run__hypotheses", "run__alert", "run__budget", "run__sources",
    "run__answer", "run__failure", "call__args", "call__ruling", "call__summary",
)  # fmt: skip
SOON_S = 600  # below ten minutes the time left is amber


@dataclass(frozen=True, slots=True)
class Row:
    """One request in the queue, for one person at one moment."""

    approval: Approval
    verdict: Verdict
    seconds_left: int
    voted: bool

    @property
    def is_soon(self) -> bool:
        return self.seconds_left < SOON_S

    @property
    def approvals(self) -> int:
        return sum(vote.approve for vote in self.approval.votes.all())


@dataclass(frozen=True, slots=True)
class Inbox:
    can_decide: list[Row] = field(default_factory=list)
    waiting: list[Row] = field(default_factory=list)
    decided: list[Approval] = field(default_factory=list)


def inbox_of(user: User, now: datetime) -> Inbox:
    """Soonest expiry first. Five queries, however many requests there are."""
    open_requests = list(_shown(user).pending().filter(expires_at__gt=now).order_by("expires_at", "id"))
    verdicts = votes_open_to(user, open_requests)
    inbox = Inbox(decided=list(_shown(user).exclude(state=ApprovalState.PENDING).order_by("-id")[:DECIDED_SHOWN]))
    for approval in open_requests:
        row = _row(approval, verdicts[approval.pk], user, now)
        (inbox.can_decide if row.verdict and not row.voted else inbox.waiting).append(row)
    return inbox


def _shown(user: User) -> ApprovalQuerySet:
    requests = Approval.objects.visible_to(user).select_related("run__team", "run__starter", "call")
    return requests.defer(*NOT_LISTED).prefetch_related("votes")


def _row(approval: Approval, verdict: Verdict, user: User, now: datetime) -> Row:
    voted = any(vote.user_id == user.pk for vote in approval.votes.all())
    if voted:
        verdict = Verdict(False, "You have voted; it waits for another vote.")
    return Row(approval, verdict, int((approval.expires_at - now).total_seconds()), voted)

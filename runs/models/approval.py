"""Approval and Vote: one request to run one ToolCall with exact arguments, and what people said."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models

from runs.models.call import ToolCall
from runs.models.run import Run
from runs.states import ApprovalKind, ApprovalState

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


class ApprovalQuerySet(models.QuerySet["Approval"]):
    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> Self:
        return self.filter(run__in=Run.objects.visible_to(user))

    def pending(self) -> Self:
        return self.filter(state=ApprovalState.PENDING)


class Approval(models.Model):
    """Bound to run, step, tool and its schema, canonical arguments, operands and policy; single use; expires.

    What it is bound to never changes in place: an edit or a renewal voids the request and makes another that `replaces`
    it.
    """

    run = models.ForeignKey(Run, models.PROTECT, related_name="approvals")
    call = models.ForeignKey(ToolCall, models.PROTECT, related_name="approvals")
    kind = models.CharField(max_length=8, choices=ApprovalKind, default=ApprovalKind.CALL)
    state = models.CharField(max_length=10, choices=ApprovalState, default=ApprovalState.PENDING)
    tool = models.CharField(max_length=80)
    risk = models.CharField(max_length=16)
    args_canonical = models.TextField()  # exactly what will run
    args_sha256 = models.CharField(max_length=64)
    tool_sha256 = models.CharField(max_length=64, blank=True)  # of the tool's schema when this was asked
    operands = models.JSONField(default=dict)  # {name: digest} of what the arguments point at: a file, a saved query
    bound_sha256 = models.CharField(max_length=64, blank=True)  # of all of it: runs.services.binding.bound_parts
    replaces = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="replaced_by")
    void_code = models.CharField(max_length=40, blank=True)  # why it is VOID: edited, policy_changed, run_ended, …
    preview = models.JSONField()  # {"sentence", "destination", "undo", "body"} of exactly those bytes
    why = models.TextField(blank=True)  # the planner's words, not checked
    requester = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="requested_approvals"
    )
    requested_by = models.CharField(max_length=150)
    barred = models.JSONField(default=list)  # ids of people who may not vote: who started the run, who edited the call
    rule = models.JSONField()  # snapshot of the ruling: {"name", "effect", "votes", "role", "expiry_s", "version"}
    required = models.PositiveSmallIntegerField(default=1)
    owner_may = models.BooleanField(default=False)  # the solo preset: the owner confirms
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=150, blank=True)
    reason = models.CharField(max_length=1_000, blank=True)
    consumed_at = models.DateTimeField(null=True, blank=True)

    objects = ApprovalQuerySet.as_manager()

    class Meta:
        ordering = ["expires_at", "id"]
        indexes = [models.Index(fields=["state", "expires_at"]), models.Index(fields=["decided_at"])]

    def __str__(self) -> str:
        return f"Approval {self.pk}: {self.preview.get('sentence', self.tool)}"

    @property
    def is_open(self) -> bool:
        return self.state == ApprovalState.PENDING

    @property
    def is_question(self) -> bool:
        """Not whether a call may run, but whether one whose answer was lost did happen."""
        return self.kind == ApprovalKind.SETTLE

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at <= now


def open_requests_of_runs() -> models.Prefetch[Any]:
    """What fills `Run.open_requests` of a whole list with one query."""
    return models.Prefetch("approvals", Approval.objects.pending(), to_attr="open_requests")


class Vote(models.Model):
    """One person's word on one approval."""

    approval = models.ForeignKey(Approval, models.PROTECT, related_name="votes")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="votes")
    approve = models.BooleanField()
    reason = models.CharField(max_length=1_000, blank=True)
    door = models.CharField(max_length=16)  # web, admin, api, cli
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["approval", "user"], name="one_vote_a_person")]

    def __str__(self) -> str:
        return f"{self.user} {'approves' if self.approve else 'denies'} {self.approval_id}"

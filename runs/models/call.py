"""ToolCall: one use of a tool in a run; together they are the ledger of effects."""

from __future__ import annotations

from django.db import models

from runs.models.run import Run
from runs.states import CallStatus, Effect


class ToolCall(models.Model):
    """A call with its exact arguments. `key` is what makes it happen at most once outside."""

    run = models.ForeignKey(Run, models.PROTECT, related_name="calls")
    plan_seq = models.PositiveIntegerField()  # the Step whose move asked for it
    index = models.PositiveSmallIntegerField()  # its place in that move
    request_id = models.CharField(max_length=120)  # the planner's own id
    tool = models.CharField(max_length=80)
    args = models.JSONField()
    args_sha256 = models.CharField(max_length=64)
    risk = models.CharField(max_length=16)
    key = models.CharField(max_length=64, unique=True)
    status = models.CharField(max_length=16, choices=CallStatus, default=CallStatus.PROPOSED)
    summary = models.CharField(max_length=1_000, blank=True)
    effect = models.CharField(max_length=8, choices=Effect)  # what the policy asked of it when it was planned
    rule = models.CharField(max_length=200, blank=True)  # the policy rule that decided, in words
    ruling = models.JSONField(default=dict, blank=True)  # that ruling as a snapshot, with the policy's version
    taint = models.JSONField(default=list, blank=True)  # [{"argument", "sources", "spans"}]: text copied from results
    edit_note = models.CharField(max_length=300, blank=True)  # who changed which arguments; the planner is told
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["run_id", "plan_seq", "index"]
        constraints = [models.UniqueConstraint(fields=["run", "plan_seq", "index"], name="one_call_a_place")]

    def __str__(self) -> str:
        return f"{self.tool} {self.status}"

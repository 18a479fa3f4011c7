"""Step: one row of a run's append-only log."""

from __future__ import annotations

import json
from typing import Any

from django.db import models
from django.db.models.functions import Now

from runs.models.run import Run
from runs.states import StepKind


class Step(models.Model):
    """What happened at `seq`. The row is chained by `mac`; its payload is chained by its digest, so it can expire."""

    run = models.ForeignKey(Run, models.PROTECT, related_name="steps", db_index=False)  # (run, seq) serves
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=StepKind)
    name = models.CharField(max_length=40)  # the transition, tool, or verb
    before = models.CharField(max_length=16, blank=True)  # state before and after; equal unless a transition
    after = models.CharField(max_length=16, blank=True)
    actor = models.CharField(max_length=150)  # user:bob, driver, system, cli:root
    epoch = models.PositiveIntegerField(default=0)  # the lease's, 0 where no driver wrote it
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())  # the database's clock, not chained
    body = models.TextField(null=True, blank=True)  # the payload as canonical JSON: the very bytes that are chained
    payload_sha256 = models.CharField(max_length=64)
    key_id = models.CharField(max_length=16)
    mac = models.CharField(max_length=64)

    class Meta:
        ordering = ["run_id", "seq"]
        constraints = [models.UniqueConstraint(fields=["run", "seq"], name="one_step_a_seq")]
        indexes = [models.Index(fields=["kind", "-id"]), models.Index(fields=["actor", "-id"])]

    def __str__(self) -> str:
        return f"{self.run_id}.{self.seq} {self.name}"

    @property
    def payload(self) -> dict[str, Any]:
        """The payload; {} once it has expired."""
        loaded: dict[str, Any] = json.loads(self.body) if self.body else {}
        return loaded

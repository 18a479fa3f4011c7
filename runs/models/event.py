"""AuditEvent: one row of the installation's append-only log, for what belongs to no run."""

from __future__ import annotations

import json
from typing import Any

from django.db import models
from django.db.models.functions import Now


class AuditEvent(models.Model):
    """Who did what to which part of the installation. Chained as Steps are: one chain, its head on Installation."""

    seq = models.PositiveIntegerField(unique=True)
    verb = models.CharField(max_length=40)  # log_in, rule_change, token_issue, halt: noun first where there is one
    object = models.CharField(max_length=200, blank=True)  # what it was done to, as a person would name it
    actor = models.CharField(max_length=150)  # user:bob, system, cli:root, anonymous
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())  # the database's clock, not chained
    body = models.TextField()  # the payload as canonical JSON: the very bytes that are chained
    payload_sha256 = models.CharField(max_length=64)
    key_id = models.CharField(max_length=16)
    mac = models.CharField(max_length=64)

    class Meta:
        ordering = ["seq"]
        indexes = [models.Index(fields=["verb", "-seq"]), models.Index(fields=["actor", "-seq"])]

    def __str__(self) -> str:
        return f"{self.seq} {self.verb} {self.object}".strip()

    @property
    def payload(self) -> dict[str, Any]:
        """`before` and `after` where something was changed, and what else the verb keeps."""
        loaded: dict[str, Any] = json.loads(self.body)
        return loaded

"""Evidence: one tool result as stored; named E1, E2, … within its run."""

from __future__ import annotations

import json
import re
import zlib
from typing import Any

from django.db import models

from runs.models.call import ToolCall
from runs.models.run import Run


class Evidence(models.Model):
    """The bytes that claims are checked against: `body` is canonical JSON under zlib, `sha256` is of that JSON."""

    run = models.ForeignKey(Run, models.PROTECT, related_name="evidence")
    number = models.PositiveIntegerField()
    call = models.OneToOneField(ToolCall, models.PROTECT, related_name="evidence")
    status = models.CharField(max_length=16)
    summary = models.CharField(max_length=1_000)
    query = models.JSONField(default=dict)
    figures = models.JSONField(default=dict)
    source = models.CharField(max_length=200, blank=True)
    freshness = models.DateTimeField(null=True, blank=True)
    skipped = models.PositiveIntegerField(default=0)
    body = models.BinaryField()
    size = models.PositiveIntegerField()  # bytes before compression
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["run_id", "number"]
        verbose_name_plural = "evidence"
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="one_evidence_a_number")]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return f"E{self.number}"

    @property
    def data(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(zlib.decompress(bytes(self.body)))
        return loaded


NAME = re.compile(r"(?:S(\d{1,3})\.)?E(\d{1,6})")


def find_evidence(run_id: int, name: str) -> Evidence | None:
    """A run's E3, or S1.E3 of one of its sub-runs; None for no such name. One query."""
    if (match := NAME.fullmatch(name)) is None:
        return None
    place, number = match.groups()
    rows = (
        Evidence.objects.filter(run__parent=run_id, run__place=int(place))
        if place
        else Evidence.objects.filter(run=run_id)
    )
    found: Evidence | None = rows.filter(number=int(number)).select_related("call").first()
    return found

"""What this database is for: one row."""

from __future__ import annotations

from django.db import models


class Installation(models.Model):
    """One row. `demo` marks a database with demo users, which `up` refuses; the set-up link works once."""

    demo = models.BooleanField(default=False)
    halted_by = models.CharField(max_length=150, blank=True)  # while set, no run takes a step
    halt_reason = models.CharField(max_length=200, blank=True)
    setup_token_sha256 = models.CharField(max_length=64, blank=True)
    n_events = models.PositiveIntegerField(default=0)  # length and head of the chain of AuditEvents
    head_mac = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="one_installation")]

    def __str__(self) -> str:
        return "demo" if self.demo else "installation"

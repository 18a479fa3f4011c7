"""PolicyRule: which calls run, need the owner's confirmation, need votes, or are refused."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from runs.models.team import Team
from runs.states import Effect, Role


class PolicyRule(models.Model):
    """Rules are read in order; the first that matches decides; none matching refuses."""

    team = models.ForeignKey(Team, models.CASCADE, null=True, blank=True, related_name="rules")
    order = models.PositiveIntegerField()
    name = models.CharField(max_length=120)
    tool = models.CharField(max_length=120, default="*", help_text="Tool name or glob, for example create_*.")
    risk = models.CharField(max_length=16, blank=True, help_text="Empty matches every risk.")
    effect = models.CharField(max_length=8, choices=Effect)
    votes = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1), MaxValueValidator(10)])
    role = models.CharField(max_length=16, choices=Role, default=Role.APPROVER)

    class Meta:
        ordering = ["order", "id"]

    def __str__(self) -> str:
        return self.name

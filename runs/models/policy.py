"""PolicyRule: which calls run, need the owner's confirmation, need votes, or are refused."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from runs.models.team import Team
from runs.policy.rules import RISKS, Rule
from runs.states import Effect, Role


class PolicyRule(models.Model):
    """Rules are read in order, a team's own before the installation's; the first that matches decides."""

    team = models.ForeignKey(Team, models.CASCADE, null=True, blank=True, related_name="rules")
    order = models.PositiveIntegerField()
    name = models.CharField(max_length=120)
    tool = models.CharField(max_length=120, default="*", help_text="Tool name or glob, for example create_*.")
    risk = models.CharField(
        max_length=16, blank=True, choices=[(risk, risk) for risk in RISKS], help_text="Empty matches every risk."
    )
    conditions = models.JSONField(default=dict, blank=True)  # arguments, environment, starter, tainted: as in YAML
    effect = models.CharField(max_length=8, choices=Effect)
    votes = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1), MaxValueValidator(10)])
    role = models.CharField(max_length=16, choices=Role, default=Role.APPROVER)
    expiry_s = models.PositiveIntegerField(null=True, blank=True)  # how long its requests stay open; null: the setting

    class Meta:
        ordering = ["order", "id"]

    def __str__(self) -> str:
        return self.name

    def as_rule(self) -> Rule:
        """The row as a value. Raises ValueError where it cannot be read: then the whole policy cannot."""
        return Rule.model_validate(
            {
                **self.conditions, "name": self.name, "tool": self.tool, "risk": self.risk, "then": self.effect,
                "votes": self.votes, "role": self.role, "expires": self.expiry_s,
            }
        )  # fmt: skip

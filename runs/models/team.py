"""Teams and who is what in them."""

from __future__ import annotations

from fnmatch import fnmatchcase

from django.conf import settings
from django.db import models

from runs.states import Role

CONCLUSION = "generate_report"


class Team(models.Model):
    """Owns runs. One team `default` exists and stays invisible until there is a second."""

    name = models.CharField(max_length=80, unique=True)
    slug = models.SlugField(max_length=80, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    tools = models.TextField(
        "tool set",
        blank=True,
        help_text="Tools that this team's runs may use: one name or pattern (list_*) a line. Empty: every tool.",
    )

    def __str__(self) -> str:
        return self.name

    def may_use(self, tool: str) -> bool:
        """Whether the tool is in the team's set. What concludes a run always is."""
        globs = self.tools.split()
        return not globs or tool == CONCLUSION or any(fnmatchcase(tool, glob) for glob in globs)


class Membership(models.Model):
    """One user's role in one team. Service accounts are members marked as such; they can never vote."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role)
    is_service = models.BooleanField("service account", default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "user"], name="one_role_a_team")]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.team}"

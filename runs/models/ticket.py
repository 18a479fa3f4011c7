"""Ticket: an incident ticket, kept here and, where set, in another tracker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import re2
from django.db import models

from runs.models.call import ToolCall
from runs.models.run import Run

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


_LOCAL = re2.compile(r"T-([1-9][0-9]{0,17})")
NEVER_ASKED = ("local", "webhook")


class TicketQuerySet(models.QuerySet["Ticket"]):
    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> Self:
        return self.filter(run__in=Run.objects.visible_to(user))

    def named(self, name: str) -> Self:
        """Those of that name: `T-1` is kept here, any other was given by an outside tracker; none for none."""
        if local := _LOCAL.fullmatch(name):
            return self.filter(pk=int(local[1]), external_id="")
        return self.filter(external_id=name) if name else self.none()


class Ticket(models.Model):
    """Written in the transaction that records the result of `create_ticket`; one a call, by the call's key."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        CLOSED = "closed", "Closed"
        GONE = "gone", "Not found there"  # its tracker no longer knows it, or another one is set

    run = models.ForeignKey(Run, models.PROTECT, related_name="tickets")
    call = models.OneToOneField(ToolCall, models.PROTECT, related_name="ticket")
    key = models.CharField(max_length=64, unique=True)
    title = models.CharField(max_length=200)
    body = models.TextField()
    service = models.CharField(max_length=200, blank=True)
    severity = models.CharField(max_length=4, blank=True)
    tracker = models.CharField(max_length=40, default="local")
    external_id = models.CharField(max_length=120, blank=True)
    url = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    created_at = models.DateTimeField()
    looked_up_at = models.DateTimeField(null=True, blank=True)  # when an outside tracker last said how it stands

    objects = TicketQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} {self.title}"

    @property
    def name(self) -> str:
        return self.external_id or f"T-{self.pk}"

    @property
    def kept_in(self) -> str:
        """Where it is kept, as people call it."""
        return {"local": "OpsPilot", "jira": "Jira", "github": "GitHub"}.get(self.tracker, self.tracker)

    @property
    def is_followed(self) -> bool:
        """Whether its tracker is asked how it stands. A webhook is told of tickets; it tells of none."""
        return self.tracker not in NEVER_ASKED

    @property
    def link(self) -> str:
        """The tracker's page, where its address may be a link."""
        return self.url if self.url.startswith(("https://", "http://")) else ""


class TicketComment(models.Model):
    """Written in the transaction that records the result of `comment_on_ticket`; one a call, by the call's key."""

    ticket = models.ForeignKey(Ticket, models.PROTECT, related_name="comments")
    run = models.ForeignKey(Run, models.PROTECT, related_name="ticket_comments")
    call = models.OneToOneField(ToolCall, models.PROTECT, related_name="ticket_comment")
    key = models.CharField(max_length=64, unique=True)
    text = models.TextField()
    url = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"comment on {self.ticket.name}"

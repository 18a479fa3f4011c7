"""Notification and NotificationTarget: what people are told outside of the pages, and where."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now

from runs.models.approval import Approval
from runs.models.run import Run
from runs.states import NotificationKind, NotificationState


class NotificationTarget(models.Model):
    """One address of OPSPILOT_NOTIFY as the sender first saw it; the address itself stays in the settings."""

    key = models.CharField(max_length=32, unique=True)  # a keyed digest of team and URL
    label = models.CharField(max_length=200)  # for people, without any secret
    team = models.SlugField(blank=True)  # only what concerns this team's runs
    since = models.DateTimeField()  # nothing older is sent there
    scanned_to = models.DateTimeField()  # the record was read for it up to here
    gone_at = models.DateTimeField(null=True, blank=True)  # no longer configured
    sent_at = models.DateTimeField(null=True, blank=True)  # the last message that arrived
    failing_since = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.label


class Notification(models.Model):
    """One event told to one target: unique, so that however many senders look, it is made once.

    `uid` goes out with the message and stays the same over retries: who receives it twice can tell.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    target = models.ForeignKey(NotificationTarget, models.PROTECT, related_name="notifications")
    event = models.CharField(max_length=60)  # kind, number of request or run, and whom: asked:7, done:12:u3
    kind = models.CharField(max_length=8, choices=NotificationKind)
    run = models.ForeignKey(Run, models.PROTECT, related_name="notifications")
    approval = models.ForeignKey(Approval, models.PROTECT, null=True, blank=True, related_name="notifications")
    person_id = models.PositiveBigIntegerField(null=True, blank=True)  # where the target is each person's own address
    state = models.CharField(max_length=10, choices=NotificationState, default=NotificationState.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(db_default=Now())  # tried then; while a sender holds it, when it is free again
    claim = models.CharField(max_length=32, blank=True)  # of the sender that holds it
    error = models.CharField(max_length=300, blank=True)
    made_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["target", "event"], name="one_notification_an_event")]
        indexes = [models.Index(fields=["state", "next_at"])]

    def __str__(self) -> str:
        return f"{self.event} to {self.target}"

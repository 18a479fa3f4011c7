"""Links that a notification carries: signed, for one person and one request, for a while. They open a page, no more."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing
from django.urls import reverse

from runs.models import Approval

SALT = "opspilot.approval-link"
LIFE_S = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Opened:
    """What a genuine link says: which request, and whom it was made for."""

    approval_id: int
    user_id: int


class LinkExpired(Exception):
    """The link is genuine and too old."""


def approval_link(approval: Approval, user: User) -> str:
    """An absolute link to the request's page for this person. Whoever else follows it is turned away."""
    word = signing.dumps([approval.pk, user.pk], salt=SALT)
    return settings.PUBLIC_URL + reverse("approval_link", args=[word])


def read_link(word: str) -> Opened | None:
    """None for a link that was not made here, or was altered. Raises LinkExpired."""
    try:
        approval_id, user_id = signing.loads(word, salt=SALT, max_age=LIFE_S)
    except signing.SignatureExpired:
        raise LinkExpired from None
    except signing.BadSignature:
        return None
    return Opened(approval_id, user_id)

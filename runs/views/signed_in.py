"""Signing in again: a password given on a page of ours stands for five minutes in that session, for harmful calls."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth import logout
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from runs.services.approvals import is_fresh
from runs.services.errors import Refused
from runs.views.asking import asker

GIVEN, FAILED = "password_given_at", "passwords_failed"
TRIES = 5  # wrong passwords in a row; then the session ends


def signed_in_at(request: HttpRequest) -> datetime | None:
    """When this session's person last gave their password here; None if never."""
    given = request.session.get(GIVEN)
    return parse_datetime(given) if given else None


def has_just_signed_in(request: HttpRequest) -> bool:
    return is_fresh(signed_in_at(request))


def take_password(request: HttpRequest, password: str) -> None:
    """Check a password and note when it was given. Raises Refused; after five wrong ones the session is over."""
    if asker(request).check_password(password):
        request.session[GIVEN] = timezone.now().isoformat()
        request.session.pop(FAILED, None)
        return
    failed = request.session.get(FAILED, 0) + 1
    if failed >= TRIES:
        logout(request)
        raise Refused("wrong_password", "That was not your password, five times over. Log in again.", 403)
    request.session[FAILED] = failed
    raise Refused("wrong_password", "That is not your password.", 403)

"""Log-ins, log-outs and failed log-ins as events of the audit, whichever door they came through.

Django tells of them by signals alone. One that cannot be recorded does not happen: the exception ends the request
before its session is saved.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from runs.services.actors import Actor
from runs.services.events import record_event

ANONYMOUS = Actor("anonymous")


def connect() -> None:
    """Safe to repeat."""
    user_logged_in.connect(_logged_in, dispatch_uid="audit")
    user_logged_out.connect(_logged_out, dispatch_uid="audit")
    user_login_failed.connect(_failed, dispatch_uid="audit")


def _logged_in(request: HttpRequest | None, user: User, **kwargs: Any) -> None:
    record_event("log_in", actor=Actor.person(user), address=_address(request))


def _logged_out(request: HttpRequest | None, user: User | None, **kwargs: Any) -> None:
    if user is not None:
        record_event("log_out", actor=Actor.person(user), address=_address(request))


def _failed(credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any) -> None:
    # Django has struck out the password. A name is kept: it may be a password typed into the wrong field, cut short.
    name = str(credentials.get("username", ""))[:150]
    record_event("log_in_failed", actor=ANONYMOUS, object=name, address=_address(request))


def _address(request: HttpRequest | None) -> str:
    return str(request.META.get("REMOTE_ADDR", "")) if request else ""

"""Who asks: the signed-in person behind a request, for views that `login_required` guards."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.http import HttpRequest


def asker(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101  login_required has turned everybody else away
    return request.user

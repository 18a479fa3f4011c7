"""Who calls the API: a personal token in the Authorization header. Session log-in is DRF's own."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from runs.services.tokens import find_user

SCHEMES = ("bearer", "token")


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer ops_…` or `Token ops_…`. A token acts as its user and needs no CSRF token."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        """None without such a header: the next authentication has its turn. A wrong token ends here with 401."""
        scheme, _, plain = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() not in SCHEMES:
            return None
        user = find_user(plain.strip())
        if user is None:
            raise AuthenticationFailed("This token is unknown, expired or revoked.", code="invalid_token")
        return user, None

    def authenticate_header(self, request: Any) -> str:
        return 'Bearer realm="opspilot"'  # without it DRF answers 403 where 401 is meant

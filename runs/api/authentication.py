"""Who calls the API: a personal token in the Authorization header. Session log-in is DRF's own."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from runs.models import ApiToken
from runs.permissions import token_allows
from runs.services.tokens import find_token
from runs.states import Scope

SCHEMES = ("bearer", "token")


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer ops_…` or `Token ops_…`. A token acts as its user and needs no CSRF token."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """None without such a header: the next authentication has its turn. A wrong token ends here with 401."""
        scheme, _, plain = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() not in SCHEMES:
            return None
        token = find_token(plain.strip())
        if token is None:
            raise AuthenticationFailed("This token is unknown, expired or revoked.", code="invalid_token")
        return token.user, token

    def authenticate_header(self, request: Any) -> str:
        return 'Bearer realm="opspilot"'  # without it DRF answers 403 where 401 is meant


class TokenScope(BasePermission):
    """A token is used only for what it was made for: `runs:read` to read, the view's `write_scope` for the rest."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not isinstance(request.auth, ApiToken):
            return True  # a session is the person
        scope = Scope.READ if request.method in SAFE_METHODS else getattr(view, "write_scope", Scope.WRITE)
        if not (verdict := token_allows(request.auth, scope)):
            raise PermissionDenied(verdict.why, code="missing_scope")
        return True

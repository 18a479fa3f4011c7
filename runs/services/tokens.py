"""Personal API tokens: issued once, kept as a hash, checked in constant time."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from runs.models import ApiToken
from runs.permissions import token_allows
from runs.services.actors import Actor
from runs.services.errors import Refused
from runs.services.events import record_event
from runs.states import Scope

MAX_DAYS = 90
ALL_SCOPES = tuple(Scope.values)


def issue_token(
    user: User, name: str, days: int = MAX_DAYS, scopes: Collection[str] = ALL_SCOPES
) -> tuple[ApiToken, str]:
    """A new token and its plain text, which is shown once and kept nowhere. Raises Refused: bad_lifetime, bad_scope."""
    if not 1 <= days <= MAX_DAYS:
        raise Refused("bad_lifetime", f"A token lives 1 to {MAX_DAYS} days, not {days}.", 400)
    if not scopes or not set(scopes) <= set(ALL_SCOPES):
        raise Refused("bad_scope", f"A token is for one or more of {', '.join(ALL_SCOPES)}.", 400)
    granted = [scope for scope in ALL_SCOPES if scope in scopes]
    prefix, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    plain = f"ops_{prefix}_{secret}"
    with transaction.atomic():
        token = ApiToken.objects.create(
            user=user, name=name[:80] or "token", prefix=prefix, sha256=_hash(plain), scopes=granted,
            expires_at=timezone.now() + timedelta(days=days),
        )  # fmt: skip
        record_event("token_issue", actor=Actor.person(user), object=f"token {token}", days=days, scopes=granted)
    return token, plain


def find_user(plain: str) -> User | None:
    """The active user of a valid token, whatever it may be used for; None for one that is not valid."""
    token = find_token(plain)
    return token.user if token else None


def find_token(plain: str) -> ApiToken | None:
    """The valid token of an active user; None for one that is unknown, expired or revoked. Notes its use."""
    parts = plain.split("_", 2)
    if len(parts) != 3 or parts[0] != "ops":
        return None
    now = timezone.now()
    token = ApiToken.objects.select_related("user").filter(prefix=parts[1], revoked_at=None, expires_at__gt=now).first()
    if token is None or not hmac.compare_digest(token.sha256, _hash(plain)) or not token.user.is_active:
        return None
    if token.last_used_at is None or now - token.last_used_at > timedelta(minutes=1):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def user_for(plain: str, scope: Scope) -> User:
    """The user of a token that may be used for this. Raises Refused: invalid_token, missing_scope."""
    token = find_token(plain)
    if token is None:
        raise Refused("invalid_token", "This personal token is unknown, expired or revoked.", 403)
    if not (verdict := token_allows(token, scope)):
        raise Refused("missing_scope", verdict.why, 403)
    return token.user


def revoke_token(token: ApiToken) -> None:
    """The token stops working at once. Safe to repeat."""
    with transaction.atomic():
        if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
            record_event("token_revoke", actor=Actor.person(token.user), object=f"token {token}")


def _hash(plain: str) -> str:
    return hashlib.sha256(plain.encode()).hexdigest()

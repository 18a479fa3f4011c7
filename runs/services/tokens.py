"""Personal API tokens: issued once, kept as a hash, checked in constant time."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from runs.models import ApiToken
from runs.services.actors import Actor
from runs.services.errors import Refused
from runs.services.events import record_event

MAX_DAYS = 90


def issue_token(user: User, name: str, days: int = MAX_DAYS) -> tuple[ApiToken, str]:
    """A new token and its plain text, which is shown once and kept nowhere."""
    if not 1 <= days <= MAX_DAYS:
        raise Refused("bad_lifetime", f"A token lives 1 to {MAX_DAYS} days, not {days}.", 400)
    prefix, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    plain = f"ops_{prefix}_{secret}"
    with transaction.atomic():
        token = ApiToken.objects.create(
            user=user, name=name[:80] or "token", prefix=prefix, sha256=_hash(plain),
            expires_at=timezone.now() + timedelta(days=days),
        )  # fmt: skip
        record_event("token_issue", actor=Actor.person(user), object=f"token {token}", days=days)
    return token, plain


def find_user(plain: str) -> User | None:
    """The active user of a valid token; None for one that is unknown, expired or revoked. Notes its use."""
    parts = plain.split("_", 2)
    if len(parts) != 3 or parts[0] != "ops":
        return None
    now = timezone.now()
    token = ApiToken.objects.select_related("user").filter(prefix=parts[1], revoked_at=None, expires_at__gt=now).first()
    if token is None or not hmac.compare_digest(token.sha256, _hash(plain)) or not token.user.is_active:
        return None
    if token.last_used_at is None or now - token.last_used_at > timedelta(minutes=1):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token.user


def revoke_token(token: ApiToken) -> None:
    """The token stops working at once. Safe to repeat."""
    with transaction.atomic():
        if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
            record_event("token_revoke", actor=Actor.person(token.user), object=f"token {token}")


def _hash(plain: str) -> str:
    return hashlib.sha256(plain.encode()).hexdigest()

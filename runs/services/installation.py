"""The first administrator: a one-time link that the first start prints, and what following it does."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from django.contrib.auth.models import User
from django.db import transaction

from runs.models import Installation
from runs.services.actors import Actor
from runs.services.errors import Refused
from runs.services.events import record_event
from runs.services.teams import add_member, default_team
from runs.states import Role


def make_setup_link() -> str | None:
    """A fresh one-time token; it replaces an earlier one. None once there is an administrator, and in a demo."""
    if User.objects.filter(is_superuser=True, is_active=True).exists():
        return None
    token = secrets.token_urlsafe(32)
    changed = Installation.objects.filter(pk=1, demo=False).update(setup_token_sha256=_hash(token))
    return token if changed else None


def is_setup_token(token: str) -> bool:
    """Whether this is the token of the link that was printed last. Compares in constant time."""
    kept = Installation.objects.filter(pk=1).values_list("setup_token_sha256", flat=True).first() or ""
    return bool(kept) and hmac.compare_digest(kept, _hash(token))


@transaction.atomic
def set_up_administrator(token: str, username: str, password: str, email: str = "") -> User:
    """Make the administrator and use the token up. Raises Refused. The caller has validated the password."""
    Installation.objects.select_for_update().filter(pk=1).first()  # two clicks on one link: the second waits here
    if not is_setup_token(token):
        raise Refused(
            "link_used", "This set-up link was used or replaced. Start `./opspilot up` again for a new one.", 410
        )
    if User.objects.filter(username=username).exists():
        raise Refused("name_taken", f"There is a user called {username} already; choose another name.", 409)
    user = User.objects.create_superuser(username, email, password)
    record_event("setup", actor=Actor.person(user), object=f"user “{user.get_username()}”")
    add_member(default_team(), user, Role.ADMINISTRATOR)
    Installation.objects.filter(pk=1).update(setup_token_sha256="")
    return user


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

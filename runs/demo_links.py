"""The demo's one-time log-in links, `/demo/<user>/<token>`. They work in a demo database only; nothing is stored."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.contrib.auth.tokens import PasswordResetTokenGenerator

from runs.models import Installation


class _DemoLinks(PasswordResetTokenGenerator):
    """Signed over the user's last log-in, so that using a link ends it. Valid for three days."""

    key_salt = "runs.demo_links"


_links = _DemoLinks()


def demo_link(user: User) -> str:
    """The path of a link that logs `user` in once; any log-in of the user ends it."""
    return f"/demo/{user.get_username()}/{_links.make_token(user)}"


def user_of_link(username: str, token: str) -> User | None:
    """Whom a link logs in; None when it was used, is no link, or this is no demo database."""
    if not Installation.objects.filter(demo=True).exists():
        return None
    user = User.objects.filter(username=username, is_active=True).first()
    return user if user is not None and _links.check_token(user, token) else None

"""Who did it, as the record writes it down."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import User


@dataclass(frozen=True, slots=True)
class Actor:
    """`name` is what a Step keeps; `user` is None for the system and for a shell without a token."""

    name: str
    user: User | None = None

    @classmethod
    def person(cls, user: User) -> Actor:
        return cls(f"user:{user.get_username()}", user)

    @classmethod
    def shell(cls, os_user: str) -> Actor:
        """A command line without a personal token: may start and cancel its own, can never vote."""
        return cls(f"cli:{os_user}")

    @classmethod
    def system(cls) -> Actor:
        return cls("system")

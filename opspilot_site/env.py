"""Typed readers of the environment that refuse nonsense; a secret may also stand in the file NAME_FILE names."""

from __future__ import annotations

import re
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from environs import Env

env = Env()


def secret(name: str, default: str = "") -> str:
    """The value of NAME, or the stripped text of the file that NAME_FILE names. Both set is refused."""
    value, path = env.str(name, ""), env.str(f"{name}_FILE", "")
    if value and path:
        raise ImproperlyConfigured(f"Both {name} and {name}_FILE are set; keep one.")
    if not path:
        return value or default
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE={path}: {error.strerror}.") from None


def named_urls(name: str) -> list[tuple[str, str]]:
    """`payments=file:///a,file:///b` → [("payments", "file:///a"), ("", "file:///b")]."""
    pairs = []
    for part in filter(None, (part.strip() for part in env.str(name, "").split(","))):
        head, separator, tail = part.partition("=")
        named = bool(separator) and "/" not in head and ":" not in head
        pairs.append((head, tail) if named else ("", part))
    return pairs


_NEXT_URL = re.compile(r"[\s,]+(?=(?:[\w-]+=)?[a-z][a-z0-9+.-]*://)")
_TEAM = re.compile(r"(?:([\w-]+)=)?([a-z][a-z0-9+.-]*://\S+)", re.ASCII)


def team_urls(name: str, text: str) -> list[tuple[str, str]]:
    """`payments=slack://…, mailto://…` → [("payments", "slack://…"), ("", "mailto://…")].

    Separated by commas or blanks; a comma within a URL (`to=a@x,b@y`) stays in it. Refuses what is no URL.
    """
    pairs = []
    for number, part in enumerate(filter(None, _NEXT_URL.split(text.strip(" ,\n\t"))), 1):
        if (match := _TEAM.fullmatch(part)) is None:  # not shown: it may hold a password
            raise ImproperlyConfigured(f"{name}: entry {number} is no URL such as mailto://… or team=slack://….")
        pairs.append((match[1] or "", match[2]))
    return pairs


def named_secrets(name: str) -> dict[str, str]:
    """`k1=secret,k0=other` → {"k1": "secret", "k0": "other"}; also from NAME_FILE."""
    pairs = [part.strip().partition("=") for part in secret(name).split(",") if part.strip()]
    if wrong := [head for head, sign, tail in pairs if not (head and sign and tail)]:
        raise ImproperlyConfigured(f"{name}: {len(wrong)} of its parts is not written as id=key.")
    return {head: tail for head, _, tail in pairs}


def one_of(name: str, value: str, *allowed: str) -> str:
    """The value of a setting that may be empty or one of these words; anything else is refused."""
    if value and value not in allowed:
        raise ImproperlyConfigured(f"{name}={value!r}: must be one of {', '.join(allowed)}.")
    return value

"""Where notifications go, as the settings say: addresses, their keys, and their names for people."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from django.conf import settings

PEOPLE = "{people}"  # in an address: the e-mail address of each person whom it concerns
# Of these the host is an address; of others it may be a token (slack://T1JJ3T3L2/…).
HAS_HOST = ("mailto", "mailtos", "json", "jsons", "form", "forms", "xml", "xmls")


@dataclass(frozen=True, slots=True)
class Target:
    """One address. `key` names it in the database, which never holds the URL: it has passwords in it."""

    url: str
    team: str = ""  # "": runs of every team

    @property
    def key(self) -> str:
        text = f"notify {self.team} {self.url}".encode()
        return hmac.new(settings.AUDIT_KEY.encode(), text, hashlib.sha256).hexdigest()[:32]

    @property
    def is_personal(self) -> bool:
        return PEOPLE in self.url

    @property
    def host(self) -> str:
        """The host; "" where it may be a token."""
        parts = urlsplit(self.url)
        return parts.hostname or "" if parts.scheme in HAS_HOST else ""

    @property
    def label(self) -> str:
        """`mailto smtp.example.org to ops@example.org`, `slack 3f9a12`: what can be shown without a secret."""
        parts = urlsplit(self.url)
        words = [parts.scheme]
        if self.host:
            words.append(f"{self.host}:{parts.port}" if parts.port else self.host)
        if parts.scheme.startswith("mailto"):
            words += [f"to {unquote(to)}" for to in parse_qs(parts.query).get("to", [])]
        else:
            words.append(self.key[:6])  # two addresses may differ in their secret alone
        return " ".join([*words, f"(team {self.team})" if self.team else ""]).strip()[:200]


def configured_targets() -> list[Target]:
    """Every target of OPSPILOT_NOTIFY once, in its order."""
    return list(dict.fromkeys(Target(url, team) for team, url in settings.NOTIFY))

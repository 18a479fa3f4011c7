"""How we show who we are: token, password and key files, CA, headers. Files are read for each request: they rotate."""

from __future__ import annotations

import base64
import ssl
from dataclasses import dataclass
from pathlib import Path

MAX_SECRET = 65_536


class NoAccess(Exception):
    """A secret or certificate that cannot be read, and which."""


@dataclass(frozen=True, slots=True)
class Access:
    """Paths, never the secrets themselves. Hashable: it is part of what an open source is kept by."""

    token_file: str = ""  # Authorization: Bearer
    user: str = ""
    password_file: str = ""  # with `user`: Authorization: Basic
    api_key_file: str = ""  # Authorization: ApiKey, as Elasticsearch has it
    ca_file: str = ""  # PEM; for services with a certificate of one's own authority
    headers: tuple[tuple[str, str], ...] = ()

    def sent(self) -> dict[str, str]:
        """The headers of a request. Raises NoAccess."""
        found = dict(self.headers)
        if self.token_file:
            found["Authorization"] = f"Bearer {_secret(self.token_file)}"
        elif self.api_key_file:
            found["Authorization"] = f"ApiKey {_secret(self.api_key_file)}"
        elif self.user:
            pair = f"{self.user}:{_secret(self.password_file) if self.password_file else ''}"
            found["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return found

    def words(self) -> str:
        """What a refusal is about: "the token of /run/secrets/loki"."""
        if self.token_file:
            return f"the token of {self.token_file}"
        if self.api_key_file:
            return f"the API key of {self.api_key_file}"
        return f"the password of {self.user}" if self.user else "us: no token_file, api_key_file or user is set"

    def certificates(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca_file or None)
        except (OSError, ssl.SSLError) as error:
            raise NoAccess(f"ca_file {self.ca_file}: {error}") from None


def _secret(path: str) -> str:
    try:
        with Path(path).open(encoding="utf-8") as file:
            text = file.read(MAX_SECRET).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NoAccess(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if not text or any(ord(char) < 32 for char in text):
        raise NoAccess(f"{path}: holds no single line with a secret")
    return text

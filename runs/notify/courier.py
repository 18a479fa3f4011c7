"""Hands one message to one address, by apprise. Knows no database; the one place that imports apprise.

The import costs 0.2 s and 40 MB, so it waits for the first message: only a process that sends pays.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

import re2
from django.conf import settings

from runs.notify.targets import PEOPLE, Target
from runs.notify.wording import Message
from runs.redaction import redact

if TYPE_CHECKING:
    import apprise

TIMEOUT_S = 10.0  # of connecting, and of each silence
_PIECES = re2.compile(r"[/:@?&=,;#+\s]+")
_log = logging.getLogger("apprise")


def send(target: Target, message: Message, address: str = "") -> str:
    """Why it was not taken, without any secret in it; nothing when it was. Waits at most some time-outs."""
    plugin = _plugin(target, address)
    if plugin is None:
        return "this is no address that apprise understands"
    _label(plugin, message, is_mail=target.url.startswith("mailto"))
    with _heard() as words:
        import apprise

        taken = plugin.notify(
            title=message.title, body=message.body, notify_type=apprise.NotifyType(message.level),
            body_format=apprise.NotifyFormat.TEXT,
        )  # fmt: skip
    return "" if taken else _without_secrets(_reason(words), target)


def is_understood(target: Target) -> bool:
    """Whether apprise can read the address at all. Sends nothing."""
    return _plugin(target, "somebody@example.org") is not None


def _plugin(target: Target, address: str) -> apprise.NotifyBase | None:
    import apprise

    _log.propagate = False  # its words may hold addresses; what matters is heard below
    asset = apprise.AppriseAsset(
        app_id="OpsPilot", app_desc="OpsPilot", app_url=settings.PUBLIC_URL, image_url_mask="", image_url_logo="",
        http_redirects=False, pgp_autogen=False, pem_autogen=False, plugin_paths=[],
    )  # fmt: skip
    with _heard():
        plugin = apprise.Apprise.instantiate(target.url.replace(PEOPLE, quote(address)), asset=asset)
    if plugin is not None:
        plugin.socket_connect_timeout = max(plugin.socket_connect_timeout, TIMEOUT_S)
        plugin.socket_read_timeout = max(plugin.socket_read_timeout, TIMEOUT_S)
    return plugin


def _label(plugin: Any, message: Message, is_mail: bool) -> None:
    """The id as a header, the fields beside a webhook's payload, where the kind of address has such things."""
    if isinstance(headers := getattr(plugin, "headers", None), dict):
        headers.setdefault("X-OpsPilot-Id", message.uid)
        if is_mail:
            headers.setdefault("Auto-Submitted", "auto-generated")  # RFC 3834: nobody's absence note answers
            if run := message.fields.get("run"):  # RFC 5322: mail programs show what refers to the same as one thread
                headers.setdefault("References", f"<run-{run}@{urlsplit(settings.PUBLIC_URL).hostname or 'opspilot'}>")
    if isinstance(extras := getattr(plugin, "payload_extras", None), dict):
        for name, value in message.fields.items():
            extras.setdefault(name, value)


@contextmanager
def _heard() -> Iterator[list[str]]:
    """What apprise says in this thread: its answer is yes or no, the reason stands in its log alone."""
    words: list[str] = []
    thread = threading.get_ident()

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == thread:
                words.append(record.getMessage())

    ear = Ear()
    _log.setLevel(logging.DEBUG)
    _log.addHandler(ear)
    try:
        yield words
    finally:
        _log.removeHandler(ear)


def _reason(words: list[str]) -> str:
    """The failure that its log names: the cause below it where there is one, else the last sentence."""
    causes = [line.removeprefix("Socket Exception: ") for line in words if line.startswith("Socket Exception: ")]
    failures = [line for line in words if "failed" in line.lower() or "error" in line.lower()]
    return (causes or failures or ["it was not taken, and nobody said why"])[-1]


def _without_secrets(text: str, target: Target) -> str:
    """A failure's words may repeat a token of the path or a user's name: no piece of the URL but its host stays."""
    rest = target.url.partition("://")[2]
    pieces = {piece for form in (rest, unquote(rest)) for piece in _PIECES.split(form) if len(piece) >= 5}
    for piece in sorted(pieces - {target.host}, key=len, reverse=True):
        text = text.replace(piece, "…")
    return redact(" ".join(text.split()))[:300]

"""Receivers over real sockets, and a sender that has looked once, so that what happens from now on is news."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runs.notify.sender import Sender
from runs.notify.targets import configured_targets
from tests.standins.receivers import Receivers

Deliver = Callable[[], None]


@pytest.fixture(scope="module")
def _receivers() -> Iterator[Receivers]:
    with tempfile.TemporaryDirectory(prefix="opspilot-receivers-") as folder:
        receivers = Receivers(Path(folder))
        receivers.start()
        yield receivers
        receivers.stop()


@pytest.fixture
def outside(_receivers: Receivers) -> Receivers:
    """A mail server and a webhook's receiver that have taken nothing yet."""
    _receivers.forget()
    for name in ("hold", "held", "status"):
        (_receivers.folder / name).unlink(missing_ok=True)
    return _receivers


@pytest.fixture
def deliver(outside: Receivers, settings: Any, db: None) -> Deliver:
    """A fresh sender sends what is due to both receivers, unless the test sets others before its first call."""
    settings.PUBLIC_URL = "https://ops.example.org"
    settings.NOTIFY = [("", outside.mail_url), ("", outside.hook_url)]

    def send() -> None:
        Sender(configured_targets()).deliver_due()

    send()
    return send

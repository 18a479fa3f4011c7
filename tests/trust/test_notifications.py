"""Notifications whose sender dies at any point, and a receiver that hangs: in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections
from django.utils import timezone

from runs import faults
from runs.faults import Fault, InjectedFault
from runs.models import Approval, Notification, NotificationTarget, Team
from runs.notify.sender import Sender
from runs.notify.targets import configured_targets
from runs.states import ApprovalState, NotificationState, RunState
from tests.runs.making import make_request, make_run
from tests.standins.receivers import Receivers, wait_until
from tests.trust.surroundings import ROOT, environment

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def outside() -> Iterator[Receivers]:
    with tempfile.TemporaryDirectory(prefix="opspilot-receivers-") as folder:
        receivers = Receivers(Path(folder))
        receivers.start()
        yield receivers
        receivers.stop()


def _life(fault: Fault | None) -> int:
    """A sender in a process of its own, up to its end; answers its wait status."""
    connections.close_all()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            faults.armed = fault
            Sender(configured_targets()).deliver_due()
            code = 0
        except InjectedFault:
            code = 3
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1]


@pytest.mark.parametrize("point", ["notify.send", "notify.mark"])
@pytest.mark.parametrize("mode", ["K", "E", "A"])
def test_a_sender_struck_anywhere_sends_at_least_once_and_one_more_at_most(
    team: Team, alice: User, outside: Receivers, settings: Any, point: str, mode: str
) -> None:
    settings.NOTIFY = [("", outside.hook_url)]
    _life(None)
    make_request(team, alice)
    make_request(team, alice)
    status = _life(Fault(point, 1, mode))
    assert (status == signal.SIGKILL) == (mode == "K")

    for _ in range(2):
        Notification.objects.filter(state=NotificationState.WAITING).update(next_at=timezone.now())
        assert _life(None) == 0
    ids = [call["json"]["id"] for call in outside.calls]
    assert len(set(ids)) == 2
    doubled = (point, mode) not in {("notify.send", "K"), ("notify.send", "E"), ("notify.mark", "A")}
    assert len(ids) == (3 if doubled else 2)
    assert set(Notification.objects.values_list("state", flat=True)) == {NotificationState.SENT}


def test_a_receiver_that_hangs_holds_up_neither_the_reconciler_nor_other_targets(
    team: Team, alice: User, outside: Receivers, tmp_path: Path
) -> None:
    """Shown by order, not by a clock: a request expires and a mail arrives while the webhook's answer is still open."""
    (outside.folder / "hold").touch()
    first, second = make_request(team, alice), make_request(team, alice)
    env = environment(
        tmp_path, _database_url(), OPSPILOT_NOTIFY=f"{outside.hook_url} {outside.mail_url}", OPSPILOT_RECONCILE_S="1",
    )  # fmt: skip
    reconciler = subprocess.Popen([sys.executable, "manage.py", "reconcile"], cwd=ROOT, env=env)
    try:
        wait_until(lambda: NotificationTarget.objects.count() == 2)
        Approval.objects.filter(pk=first.pk).update(asked_at=timezone.now())  # news for a sender that has looked
        wait_until(lambda: (outside.folder / "held").exists())
        Approval.objects.filter(pk=second.pk).update(expires_at=timezone.now())
        wait_until(lambda: Approval.objects.get(pk=second.pk).state == ApprovalState.EXPIRED)
        wait_until(lambda: any("nobody decided" in mail["Subject"] for mail in outside.mails))
        assert outside.calls == []
        (outside.folder / "hold").unlink()
        Notification.objects.filter(state=NotificationState.WAITING).update(next_at=timezone.now())
        wait_until(lambda: len({call["json"]["id"] for call in outside.calls}) == 2)
    finally:
        reconciler.terminate()
        reconciler.wait(20)


def test_a_sender_that_an_error_of_ours_ends_is_started_again_and_others_are_told(
    team: Team, alice: User, outside: Receivers, tmp_path: Path
) -> None:
    env = environment(tmp_path, _database_url(), OPSPILOT_NOTIFY=outside.hook_url, OPSPILOT_RECONCILE_S="1")
    reconciler = subprocess.Popen([sys.executable, "manage.py", "reconcile"], cwd=ROOT, env=env)
    try:
        wait_until(lambda: NotificationTarget.objects.count() == 1)
        broken = make_run(team, alice, state=RunState.DONE, finished_at=timezone.now(), report={"actions": [{}]})
        wait_until(lambda: Notification.objects.filter(run=broken, tries=1).exists())
        make_request(team, alice)
        wait_until(lambda: [call["json"]["event"] for call in outside.calls] == ["asked"])
    finally:
        reconciler.terminate()
        reconciler.wait(20)


def _database_url() -> str:
    """The tests' own database, for a process outside of pytest."""
    values = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{values['NAME']}"
    names = [quote(str(values[name]), safe="") for name in ("USER", "PASSWORD", "HOST")]
    return f"postgres://{names[0]}:{names[1]}@{names[2]}:{values['PORT'] or ''}/{values['NAME']}"

"""Addresses of OPSPILOT_NOTIFY: read from the settings, shown without secrets, tried and said by commands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from opspilot_site.diagnosis import _addresses, _notifications
from opspilot_site.effective import effective_settings
from opspilot_site.env import team_urls
from runs.models import NotificationTarget, Team
from runs.notify.courier import is_understood
from runs.notify.targets import Target, configured_targets
from tests.processes import product_environment
from tests.runs.commands.conftest import Shell, shell
from tests.runs.making import make_request
from tests.runs.notify.conftest import Deliver
from tests.standins.receivers import Receivers

__all__ = ["shell"]

SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#ops"
MAIL = "mailto://robot:p4ssw0rd@smtp.example.org?from=ops@example.org&to=a@example.org,b@example.org"


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", []),
        (f"{MAIL},{SLACK}", [("", MAIL), ("", SLACK)]),
        (f"payments={SLACK}\n  {MAIL}\n", [("payments", SLACK), ("", MAIL)]),
        (f"{SLACK} , other-team={MAIL},", [("", SLACK), ("other-team", MAIL)]),
    ],
)
def test_addresses_are_separated_by_commas_or_blanks(text: str, pairs: list[tuple[str, str]]) -> None:
    assert team_urls("OPSPILOT_NOTIFY", text) == pairs


def test_what_is_no_address_is_refused_without_showing_it() -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        team_urls("OPSPILOT_NOTIFY", f"{SLACK} s3cr3t-without-a-scheme")
    assert "OPSPILOT_NOTIFY: entry 1" in str(refused.value)
    assert "s3cr3t" not in str(refused.value)


def test_the_file_of_the_secret_is_read(tmp_path: Path) -> None:
    (tmp_path / "notify").write_text(f"{MAIL}\npayments={SLACK}\n")
    shown = subprocess.run(
        [sys.executable, "-c", "from opspilot_site import settings; print(len(settings.NOTIFY))"],
        cwd=django_settings.BASE_DIR, capture_output=True, text=True, check=True,
        env=product_environment(OPSPILOT_DATA_DIR=str(tmp_path), OPSPILOT_NOTIFY_FILE=str(tmp_path / "notify")),
    )  # fmt: skip
    assert shown.stdout == "2\n"


def test_a_label_shows_no_secret_and_tells_addresses_apart() -> None:
    assert Target(MAIL).label == "mailto smtp.example.org to a@example.org,b@example.org"
    assert Target("jsons://user:p4ssw0rd@hook.example.org/s3cr3t", "payments").label.startswith(
        "jsons hook.example.org "
    )
    slack, other = Target(SLACK), Target(SLACK.replace("ops", "dev"))
    assert slack.label != other.label
    assert slack.key != Target(SLACK, "payments").key
    for target in (slack, Target(MAIL), Target("jsons://user:p4ssw0rd@hook.example.org/s3cr3t")):
        assert not {"p4ssw0rd", "s3cr3t", "T1JJ3T3L2", "robot"} & set(target.label.replace("/", " ").split())


def test_where_notifications_go_is_among_the_settings_that_a_start_records(settings: Any, db: None) -> None:
    settings.NOTIFY = [("payments", SLACK), ("", MAIL)]
    slack = Target(SLACK, "payments").key[:6]

    assert effective_settings()["NOTIFY"] == [
        f"slack {slack} (team payments)", "mailto smtp.example.org to a@example.org,b@example.org",
    ]  # fmt: skip


def test_kinds_that_the_guide_shows_are_understood() -> None:
    for url in (MAIL, SLACK, "json://hook.example.org/x", "msteams://", "nonsense://x"):
        assert is_understood(Target(url)) == (not url.startswith(("nonsense", "msteams")))


def test_no_secret_reaches_database_log_doctor_or_admin(
    team: Team, alice: User, admin: User, client: Client, deliver: Deliver, outside: Receivers,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    outside.stop()
    try:
        make_request(team, alice)
        deliver()
    finally:
        outside.start()
    client.force_login(admin)
    pages = [client.get(f"/admin/runs/{table}/") for table in ("notification", "notificationtarget")]
    words = [
        *map(str, NotificationTarget.objects.values_list()), *(page.content.decode() for page in pages),
        *(finding.words for finding in _notifications()),
        *(record.getMessage() for record in caplog.records if record.name.startswith("runs")),
    ]  # fmt: skip

    assert any("failing for" in text for text in words)
    assert any("refused" in text for text in words), "the reason is said"
    assert [text for text in words if "s3cr3t-t0ken" in text] == []


def test_doctor_says_what_is_sent_where(
    team: Team, alice: User, deliver: Deliver, outside: Receivers, settings: Any
) -> None:
    make_request(team, alice)
    deliver()
    settings.NOTIFY = [*settings.NOTIFY, ("nobodys", outside.hook_url), ("", "nonsense://x")]

    words = [finding.words for finding in (*_addresses(), *_notifications())]
    assert "nonsense" in words[0]
    assert "last message" in words[1]
    assert "there is no team nobodys" in words[3]


def test_the_test_command_says_which_address_took_it(outside: Receivers, settings: Any, shell: Shell) -> None:
    settings.NOTIFY = [("", outside.mail_url), ("", outside.hook_url), ("", outside.people_url)]
    (outside.folder / "status").write_text("404")
    ended = shell("notify", "test", "--json")
    tried = json.loads(ended.out)
    assert ended.code == 1
    assert [bool(one["error"]) for one in tried] == [False, True, True]
    assert "404" in tried[1]["error"]
    assert outside.mails[0]["X-OpsPilot-Id"] == tried[0]["id"]

    (outside.folder / "status").unlink()
    ended = shell("notify", "test", "--to", "bob@example.org")
    assert (ended.code, ended.out.count("✓")) == (0, 3)
    assert outside.recipients[-1] == "bob@example.org"


def test_without_an_address_the_test_command_says_what_to_set(settings: Any, shell: Shell) -> None:
    settings.NOTIFY = []
    ended = shell("notify", "test")
    assert (ended.code, "OPSPILOT_NOTIFY" in ended.error) == (2, True)
    assert configured_targets() == []


def test_only_who_sends_pays_for_apprise(tmp_path: Path) -> None:
    """Neither the web process nor a worker nor an idle reconciler imports it."""
    code = "import sys, opspilot_site.asgi, agent.jobs, runs.reconcile; print('apprise' in sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=django_settings.BASE_DIR, capture_output=True, text=True, check=True,
        env=product_environment(OPSPILOT_DATA_DIR=str(tmp_path), OPSPILOT_NOTIFY=SLACK),
    )  # fmt: skip
    assert shown.stdout == "False\n"

"""Notifications from the record to a real mail server and a real webhook, through apprise."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from runs.models import Approval, Notification, NotificationTarget, Run, Team
from runs.notify.sender import Sender
from runs.notify.targets import configured_targets
from runs.services import drive
from runs.services.approvals import decide_approval, expire_approvals
from runs.services.notifications import MOST_TRIES, note_due, overdue
from runs.states import NotificationState, RunState
from tests.runs.making import make_question, make_request, make_run
from tests.runs.notify.conftest import Deliver
from tests.runs.story import a_run, approved, claimed, finished, parked
from tests.standins.receivers import Receivers

DAY = timedelta(days=1)


def _events(outside: Receivers) -> list[str]:
    return [call["json"]["event"] for call in outside.calls]


def _body(outside: Receivers, place: int = -1) -> str:
    return str(outside.mails[place].get_content())


def _wait_is_over() -> None:
    """As if the pause after a failure, or a dead sender's claim, had passed."""
    Notification.objects.filter(state=NotificationState.WAITING).update(next_at=timezone.now() - DAY)


def _as_if_asked(approval: Approval, ago: timedelta, left: timedelta) -> None:
    now = timezone.now()
    Approval.objects.filter(pk=approval.pk).update(asked_at=now - ago, expires_at=now + left)
    NotificationTarget.objects.update(since=now - 10 * DAY)


def test_a_run_is_told_from_its_request_to_its_answer(
    team: Team, alice: User, bob: User, deliver: Deliver, outside: Receivers
) -> None:
    approval = parked(team, alice, goal="Why does checkout fail?")
    deliver()
    assert _events(outside) == ["asked"]
    assert outside.mails[0]["Subject"].startswith(f"Run {approval.run_id} needs approval: ")
    assert "Goal: Why does checkout fail?" in _body(outside)
    assert "bob can decide" in _body(outside)
    assert f"https://ops.example.org/approvals/{approval.pk}/" in _body(outside)

    approved(approval, bob)
    deliver()
    finished(approval)
    deliver()
    assert _events(outside) == ["asked", "decided", "done"]
    assert [str(mail["Subject"]).partition(":")[0] for mail in outside.mails] == [
        f"Run {approval.run_id} needs approval",
        f"Run {approval.run_id}, approved by bob",
        f"Run {approval.run_id}, likely cause SEV2",
    ]
    assert {mail["References"] for mail in outside.mails} == {f"<run-{approval.run_id}@ops.example.org>"}
    assert "checkout ran out of database connections." in _body(outside)
    assert f"https://ops.example.org/runs/{approval.run_id}/" in _body(outside)
    deliver()
    assert len(outside.mails) == len(outside.calls) == 3


def test_a_failed_run_is_told_with_what_it_left_outside(
    team: Team, alice: User, deliver: Deliver, outside: Receivers
) -> None:
    run = a_run(team, alice)
    drive.fail(run, claimed(run), "poison", "It ended three processes.")
    deliver()

    assert _events(outside) == ["failed"]
    assert outside.calls[0]["json"]["type"] == "failure"
    assert "Nothing outside was changed." in _body(outside)


def test_a_denial_is_told_with_its_reason_and_an_expiry_as_nobodys(
    team: Team, alice: User, bob: User, deliver: Deliver, outside: Receivers
) -> None:
    denied, late = make_request(team, alice), make_request(team, alice)
    decide_approval(
        denied.pk, user=bob, approve=False, args_sha256=denied.args_sha256, reason="A ticket exists already."
    )
    Approval.objects.filter(pk=late.pk).update(expires_at=timezone.now())
    expire_approvals()
    deliver()

    assert [str(mail["Subject"]).partition(":")[0] for mail in outside.mails] == [
        f"Run {denied.run_id}, denied by bob",
        f"Run {late.run_id}, nobody decided in time",
    ]
    assert "Reason: A ticket exists already." in _body(outside, 0)


def test_a_question_about_a_lost_call_is_told_as_one(
    team: Team, alice: User, deliver: Deliver, outside: Receivers
) -> None:
    question = make_question(team, alice)
    deliver()

    assert outside.mails[0]["Subject"].startswith(f"Run {question.run_id}, did this happen? ")
    assert "not sent again either way" in _body(outside)


def test_the_id_goes_out_in_header_payload_and_text(
    team: Team, alice: User, deliver: Deliver, outside: Receivers
) -> None:
    approval = make_request(team, alice)
    deliver()

    ids = {str(note.target.label).split()[0]: str(note.uid) for note in Notification.objects.select_related("target")}
    [call], [mail] = outside.calls, outside.mails
    assert call["json"]["id"] == call["headers"]["X-OpsPilot-Id"] == ids["json"]
    assert mail["X-OpsPilot-Id"] == ids["mailto"]
    assert mail["Auto-Submitted"] == "auto-generated"
    assert ids["mailto"] in mail.get_content()
    assert {name: call["json"][name] for name in ("run", "approval", "team", "url")} == {
        "run": str(approval.run_id), "approval": str(approval.pk), "team": "default",
        "url": f"https://ops.example.org/approvals/{approval.pk}/",
    }  # fmt: skip


def test_what_is_older_than_the_configuration_is_not_sent(
    team: Team, alice: User, outside: Receivers, settings: Any
) -> None:
    make_request(team, alice)
    make_run(team, alice, state=RunState.DONE, finished_at=timezone.now() - timedelta(minutes=1))
    settings.NOTIFY = [("", outside.hook_url)]
    Sender(configured_targets()).deliver_due()
    assert outside.calls == []

    make_request(team, alice)
    Sender(configured_targets()).deliver_due()
    assert _events(outside) == ["asked"]


def test_an_address_that_comes_back_after_long_begins_anew(
    team: Team, alice: User, deliver: Deliver, outside: Receivers, settings: Any
) -> None:
    both = settings.NOTIFY
    settings.NOTIFY = []
    deliver()
    NotificationTarget.objects.update(gone_at=timezone.now() - DAY, since=timezone.now() - 2 * DAY)
    make_run(team, alice, state=RunState.DONE, finished_at=timezone.now() - timedelta(minutes=1))
    settings.NOTIFY = both
    deliver()

    assert outside.calls == []


def test_processes_with_old_and_new_settings_side_by_side_lose_nothing(
    team: Team, alice: User, deliver: Deliver, outside: Receivers, settings: Any
) -> None:
    both = settings.NOTIFY
    settings.NOTIFY = []
    deliver()
    make_request(team, alice)
    settings.NOTIFY = both
    deliver()

    assert _events(outside) == ["asked"]


def test_half_and_nine_tenths_of_the_time_are_told_once_each(
    team: Team, alice: User, deliver: Deliver, outside: Receivers
) -> None:
    approval = make_request(team, alice)
    hours = [(0, 24), (11.9, 12.1), (12.1, 11.9), (21.5, 2.5), (21.7, 2.3), (23.9, 0.1)]
    for passed, left in hours:
        _as_if_asked(approval, timedelta(hours=passed), timedelta(hours=left))
        deliver()
        deliver()

    assert _events(outside) == ["asked", "half", "last"]
    assert [str(mail["Subject"]).partition(" to decide")[0] for mail in outside.mails[1:]] == [
        f"Run {approval.run_id}, 11 h 53 min left",
        f"Run {approval.run_id}, 2 h 17 min left",
    ]


def test_who_was_away_is_told_the_last_reminder_only(
    team: Team, alice: User, deliver: Deliver, outside: Receivers
) -> None:
    approval = make_request(team, alice)
    _as_if_asked(approval, timedelta(hours=23), timedelta(hours=1))
    deliver()

    assert _events(outside) == ["last"]


def test_a_request_that_was_decided_before_it_was_told_is_told_as_decided(
    team: Team, alice: User, bob: User, deliver: Deliver, outside: Receivers
) -> None:
    (outside.folder / "status").write_text("503")
    approval = make_request(team, alice)
    deliver()
    decide_approval(approval.pk, user=bob, approve=True, args_sha256=approval.args_sha256)
    (outside.folder / "status").unlink()
    _wait_is_over()
    deliver()

    assert _events(outside) == ["decided"]
    assert Notification.objects.get(kind="asked", target__label__startswith="json").state == NotificationState.DROPPED


def test_a_receiver_that_was_down_gets_the_same_message_when_it_is_up(
    team: Team, alice: User, deliver: Deliver, outside: Receivers
) -> None:
    outside.stop()
    make_request(team, alice)
    deliver()
    deliver()
    notes = Notification.objects.all()
    assert {note.tries for note in notes} == {1}, "it rests after a failure"
    assert all(note.error and note.next_at > timezone.now() for note in notes)
    assert NotificationTarget.objects.filter(failing_since=None).count() == 0

    outside.start()
    _wait_is_over()
    deliver()
    assert [call["json"]["id"] for call in outside.calls] == [
        str(notes.get(target__label__startswith="json").uid)
    ]  # fmt: skip
    assert len(outside.mails) == 1
    assert NotificationTarget.objects.exclude(failing_since=None).count() == 0


def test_a_target_that_works_again_gets_at_once_what_waited(
    team: Team, alice: User, deliver: Deliver, outside: Receivers
) -> None:
    (outside.folder / "status").write_text("500")
    for _ in range(3):
        make_request(team, alice)
        deliver()
    (outside.folder / "status").unlink()
    first = Notification.objects.filter(target__label__startswith="json").earliest("id")
    Notification.objects.filter(pk=first.pk).update(next_at=timezone.now() - DAY)
    deliver()

    assert _events(outside) == ["asked"] * 3


def test_an_answer_that_does_not_come_fails_the_message_and_bars_its_target_alone(
    team: Team, alice: User, deliver: Deliver, outside: Receivers
) -> None:
    (outside.folder / "hold").touch()
    make_request(team, alice)
    sender = Sender(configured_targets(), deadline_s=0.2)
    sender.deliver_due()
    make_request(team, alice)
    _wait_is_over()
    sender.deliver_due()

    hooks = Notification.objects.filter(target__label__startswith="json").order_by("id")
    assert [(note.tries, note.error) for note in hooks] == [(1, "no answer within 0.2 s"), (0, "")]
    assert len(outside.mails) == 2


def test_what_is_refused_too_often_is_given_up_and_said(
    team: Team, alice: User, deliver: Deliver, outside: Receivers, caplog: pytest.LogCaptureFixture
) -> None:
    (outside.folder / "status").write_text("403")
    make_request(team, alice)
    deliver()
    Notification.objects.filter(state=NotificationState.WAITING).update(tries=MOST_TRIES - 1)
    _wait_is_over()
    deliver()

    note = Notification.objects.get(state=NotificationState.GIVEN_UP)
    assert "403" in note.error
    assert any("given up" in record.getMessage() for record in caplog.records if record.levelname == "ERROR")
    _wait_is_over()
    deliver()
    note.refresh_from_db()
    assert note.tries == MOST_TRIES


def test_a_message_that_ends_every_sender_is_given_up(
    team: Team, alice: User, deliver: Deliver, outside: Receivers
) -> None:
    make_request(team, alice)
    note_due(configured_targets())
    Notification.objects.update(tries=MOST_TRIES, claim="of a sender that died")
    deliver()

    assert set(Notification.objects.values_list("state", flat=True)) == {NotificationState.GIVEN_UP}
    assert outside.calls == []


def test_what_was_meant_for_an_address_that_is_gone_is_dropped(
    team: Team, alice: User, deliver: Deliver, outside: Receivers, settings: Any
) -> None:
    (outside.folder / "status").write_text("500")
    make_request(team, alice)
    deliver()
    settings.NOTIFY = []
    deliver()
    assert Notification.objects.filter(state=NotificationState.WAITING).exists(), "it may be a restart"
    NotificationTarget.objects.update(gone_at=timezone.now() - DAY)
    deliver()

    assert not Notification.objects.filter(state=NotificationState.WAITING).exists()
    assert not overdue().exists()


def test_a_teams_address_hears_of_that_team_only(
    team: Team, other_team: Team, alice: User, mallory: User, deliver: Deliver, outside: Receivers, settings: Any
) -> None:
    settings.NOTIFY = [("other", outside.mail_url), ("", outside.hook_url)]
    deliver()
    make_request(team, alice)
    theirs = make_request(other_team, mallory)
    make_run(team, alice, state=RunState.DONE, finished_at=timezone.now())
    deliver()

    assert [f"/approvals/{theirs.pk}/" in mail.get_content() for mail in outside.mails] == [True]
    assert Counter(_events(outside)) == {"asked": 2, "done": 1}


def test_each_person_whom_it_concerns_gets_a_link_of_their_own(
    team: Team, alice: User, bob: User, carol: User, mallory: User, deliver: Deliver, outside: Receivers, settings: Any
) -> None:
    settings.NOTIFY = [("", outside.people_url)]
    deliver()
    approval = make_request(team, alice)
    deliver()
    assert sorted(outside.recipients) == ["bob@example.org", "carol@example.org"]
    links = {line for mail in outside.mails for line in mail.get_content().splitlines() if "/open/" in line}
    assert len(links) == 2

    outside.forget()
    decide_approval(approval.pk, user=bob, approve=True, args_sha256=approval.args_sha256)
    deliver()
    assert outside.recipients == ["alice@example.org"]
    deliver()
    assert outside.recipients == ["alice@example.org"]


def test_a_person_without_an_address_is_said_not_silently_left_out(
    team: Team, alice: User, bob: User, deliver: Deliver, outside: Receivers, settings: Any
) -> None:
    settings.NOTIFY = [("", outside.people_url)]
    deliver()
    User.objects.update(email="")
    make_request(team, alice)
    deliver()

    note = Notification.objects.get()
    assert (note.state, note.error) == (NotificationState.ADDRESSED, "nobody whom it concerns has an e-mail address")


@pytest.mark.django_db(transaction=True)
def test_of_many_senders_at_once_one_sends(team: Team, alice: User, deliver: Deliver, outside: Receivers) -> None:
    for _ in range(5):
        make_request(team, alice)
    start = threading.Barrier(4)

    def send() -> None:
        start.wait()
        try:
            deliver()
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    ids = Counter(call["json"]["id"] for call in outside.calls)
    assert len(ids) == 5
    assert set(ids.values()) == {1}
    assert len(outside.mails) == 5


def test_looking_costs_the_same_number_of_queries_however_much_waits(
    team: Team, alice: User, deliver: Deliver, django_assert_num_queries: Any
) -> None:
    targets = configured_targets()
    for _ in range(12):
        make_request(team, alice)
    note_due(targets)
    make_run(team, alice, state=RunState.DONE, finished_at=timezone.now())
    note_due(targets)
    with django_assert_num_queries(2 + 5 * len(targets)):
        note_due(targets)


def test_no_run_is_touched(team: Team, alice: User, deliver: Deliver) -> None:
    approval = make_request(team, alice)
    before = Run.objects.values().get(pk=approval.run_id)
    deliver()

    assert Run.objects.values().get(pk=approval.run_id) == before

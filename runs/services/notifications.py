"""Which notifications are due, who sends each, and how that went. Nothing is sent here.

What is due is derived from the record's own rows, so there is nothing to lose: a row is made once for each event and
target, whoever looks. It is claimed by compare-and-set before it is sent and marked afterwards; who dies in between
leaves a claim that lapses, and the message goes out a second time with the same id.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from runs import faults
from runs.models import Approval, Notification, NotificationTarget, Run
from runs.notify.targets import Target
from runs.permissions import possible_voters
from runs.states import NotificationKind, NotificationState, RunState

SHARES = ((NotificationKind.LAST, 0.9), (NotificationKind.HALF, 0.5))  # of a request's time, the later first
ENDS = {RunState.DONE: NotificationKind.DONE, RunState.FAILED: NotificationKind.FAILED}
OVERLAP = timedelta(hours=1)  # read again each time: rows may commit later than the time that stands in them
READ_MARK = timedelta(minutes=10)  # how often it is written down how far the record was read
CLAIM = timedelta(seconds=90)  # well above the longest send: afterwards somebody else may try
MOST_TRIES = 40  # with the back-off below about 17 hours
FIRST_PAUSE_S, LONGEST_PAUSE_S = 10, 1_800
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that people are told: about a run, or about one of its requests."""

    kind: NotificationKind
    run: Run
    approval: Approval | None = None

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.approval.pk if self.approval else self.run.pk}"


def note_due(targets: Sequence[Target]) -> int:
    """Make the rows of everything that is due now. Returns how many are new. Safe to repeat, also at once."""
    now = timezone.now()
    _retire(targets, now)
    return sum(_note(target, _known(target, now), now) for target in targets)


def _known(target: Target, now: datetime) -> NotificationTarget:
    """Its row. A new one begins now, so that history is not sent; so does one that was away for long."""
    row, _ = NotificationTarget.objects.get_or_create(
        key=target.key, defaults={"label": target.label, "team": target.team, "since": now, "scanned_to": now}
    )
    if row.gone_at is not None:
        # Processes with old and new settings run side by side while they are restarted: then nothing is skipped.
        begins = row.gone_at if now - row.gone_at < OVERLAP else now
        row.gone_at, row.since, row.scanned_to = None, max(row.since, begins), max(row.scanned_to, begins)
        row.save(update_fields=["gone_at", "since", "scanned_to"])
    return row


def _retire(targets: Sequence[Target], now: datetime) -> None:
    gone = NotificationTarget.objects.exclude(key__in=[target.key for target in targets])
    gone.filter(gone_at=None).update(gone_at=now)
    late = Notification.objects.filter(
        state=NotificationState.WAITING, target__in=gone.filter(gone_at__lt=now - OVERLAP)
    )
    late.update(state=NotificationState.DROPPED, error="the target is no longer configured", ended_at=now)


def _note(target: Target, row: NotificationTarget, now: datetime) -> int:
    events = {event.name: event for event in _events(row, now)}
    known = set(row.notifications.filter(event__in=list(events)).values_list("event", flat=True))
    fresh = [event for name, event in events.items() if name not in known]
    rows = [one for event in fresh for one in (_to_people(row, event) if target.is_personal else [_row(row, event)])]
    Notification.objects.bulk_create(rows, ignore_conflicts=True)  # one transaction: all of an event's rows or none
    if now - row.scanned_to > READ_MARK:
        NotificationTarget.objects.filter(pk=row.pk).update(scanned_to=now)
    return len(rows)


def _row(
    row: NotificationTarget, event: Event, person: User | None = None, state: str = NotificationState.WAITING
) -> Notification:
    return Notification(
        target=row, event=f"{event.name}:u{person.pk}" if person else event.name, kind=event.kind, run=event.run,
        approval=event.approval, person_id=person.pk if person else None, state=state,
    )  # fmt: skip


def _to_people(row: NotificationTarget, event: Event) -> list[Notification]:
    """The event's own row, which says that it was addressed, and one for each person who can be reached."""
    people = [person for person in concerned(event) if person.is_active and person.email]
    own = _row(row, event, state=NotificationState.ADDRESSED)
    own.error = "" if people else "nobody whom it concerns has an e-mail address"
    own.ended_at = timezone.now()
    return [own, *(_row(row, event, person) for person in people)]


def concerned(event: Event) -> list[User]:
    """Who is told in person: who may vote; once it is decided who asked and who voted; at the end who started it."""
    approval, starter = event.approval, event.run.starter
    if approval is None:
        return [starter] if starter else []
    if event.kind != NotificationKind.DECIDED:
        return possible_voters(approval)
    voters = [vote.user for vote in approval.votes.select_related("user")]
    people = {user.pk: user for user in (starter, approval.requester, *voters) if user is not None}
    return [user for user in people.values() if f"user:{user.get_username()}" != approval.decided_by]


def _events(row: NotificationTarget, now: datetime) -> Iterator[Event]:
    """What is due for one target, from the rows. Costs three queries."""
    lower = max(row.since, row.scanned_to - OVERLAP)
    approvals = Approval.objects.select_related("run__starter", "requester")
    ended = Run.objects.filter(finished_at__gte=lower, state__in=list(ENDS)).select_related("starter")
    if row.team:
        approvals, ended = approvals.filter(run__team__slug=row.team), ended.filter(team__slug=row.team)
    for approval in approvals.pending().filter(expires_at__gt=now):
        kind, at = phase(approval, now)
        if at >= row.since:
            yield Event(kind, approval.run, approval)
    for approval in approvals.filter(decided_at__gte=lower).order_by("decided_at"):
        yield Event(NotificationKind.DECIDED, approval.run, approval)
    for run in ended.order_by("finished_at"):
        yield Event(ENDS[RunState(run.state)], run)


def phase(approval: Approval, now: datetime) -> tuple[NotificationKind, datetime]:
    """What an open request is told as at this time, and since when: of two reminders that are due, only the last."""
    whole = approval.expires_at - approval.asked_at
    for kind, share in SHARES:
        if (at := approval.asked_at + whole * share) <= now:
            return kind, at
    return NotificationKind.ASKED, approval.asked_at


def claim_next(target: Target) -> Notification | None:
    """Take the next message that is due for a target; None if there is none. Of several senders one gets it."""
    due = Notification.objects.filter(target__key=target.key, state=NotificationState.WAITING, next_at__lte=Now())
    for pk in due.order_by("next_at", "id").values_list("pk", flat=True)[:5]:
        claim = uuid.uuid4().hex
        mine = Notification.objects.filter(pk=pk, state=NotificationState.WAITING, next_at__lte=Now())
        if mine.update(claim=claim, tries=F("tries") + 1, next_at=Now() + CLAIM):
            note = _whole(pk)
            if note.tries <= MOST_TRIES:
                return note
            mark_failed(note, "each sender that tried it ended before it could say how it went")
    return None


def _whole(pk: int) -> Notification:
    related = ("target", "run__team", "run__starter", "approval__run", "approval__requester")
    return Notification.objects.select_related(*related).get(pk=pk)


@faults.point("notify.mark")
@transaction.atomic
def mark_sent(note: Notification) -> None:
    """It arrived. A target that was failing gets at once what waits for it."""
    now = timezone.now()
    if not _held(note).update(state=NotificationState.SENT, error="", ended_at=now):
        return
    target = NotificationTarget.objects.filter(pk=note.target_id)
    if target.exclude(failing_since=None).update(failing_since=None, error=""):
        Notification.objects.filter(target=note.target_id, state=NotificationState.WAITING, claim="").update(
            next_at=Now()
        )
    target.update(sent_at=now)


@faults.point("notify.mark")
@transaction.atomic
def mark_failed(note: Notification, why: str) -> None:
    """It did not arrive, as far as we know: tried again later, given up after MOST_TRIES. Either is said."""
    now, is_last = timezone.now(), note.tries >= MOST_TRIES
    if is_last:
        changed = _held(note).update(state=NotificationState.GIVEN_UP, error=why[:300], ended_at=now, claim="")
    else:
        changed = _held(note).update(error=why[:300], next_at=Now() + pause(note.tries), claim="")
    if changed:
        log.log(
            logging.ERROR if is_last else logging.WARNING, "%s of run %s to %s failed (try %s of %s%s): %s",
            note.event, note.run_id, note.target, note.tries, MOST_TRIES, ", given up" if is_last else "", why,
        )  # fmt: skip
    NotificationTarget.objects.filter(pk=note.target_id).update(
        failing_since=Coalesce("failing_since", now), error=why[:300]
    )


def drop(note: Notification, why: str) -> None:
    """It is no longer true, so it is not sent."""
    _held(note).update(state=NotificationState.DROPPED, error=why[:300], ended_at=timezone.now())


def pause(tries: int) -> timedelta:
    """How long a message rests after so many tries."""
    return timedelta(seconds=min(FIRST_PAUSE_S * 2 ** (tries - 1), LONGEST_PAUSE_S))


def overdue() -> QuerySet[Notification]:
    """What has been due for minutes, so that no sender can be at work."""
    late = Now() - 2 * CLAIM
    return Notification.objects.filter(state=NotificationState.WAITING, target__gone_at=None, next_at__lt=late)


def _held(note: Notification) -> QuerySet[Notification]:
    return Notification.objects.filter(pk=note.pk, claim=note.claim, state=NotificationState.WAITING)

"""Tickets and comments as the record keeps them, what a tracker says of them, and who closes those kept here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q, QuerySet

from runs import clock
from runs.models import Run, Ticket, TicketComment, ToolCall
from runs.models.ticket import NEVER_ASKED
from runs.permissions import may
from runs.services.actors import Actor
from runs.services.errors import Refused, forbidden
from runs.services.events import record_event
from runs.states import CallStatus

LOOK_AGAIN = timedelta(minutes=5)
LOOK_AGAIN_ENDED = timedelta(hours=1)  # a closed one may be opened again
FOLLOWED = timedelta(days=30)  # so long after it was made
MAX_URL = 500


def record_tickets(run: Run, call: ToolCall, status: str, data: Mapping[str, Any], at: datetime) -> None:
    """What the result of a call means for the list kept here. Safe to repeat: each row has its call's key."""
    match call.tool:
        case "create_ticket" if status == CallStatus.SUCCESS:
            _write_ticket(run, call, data, at)
        case "comment_on_ticket" if status == CallStatus.SUCCESS:
            _write_comment(run, call, data, at)
        case "find_tickets":
            note_states(run.team_id, data.get("states", {}), at)


def tickets_to_look_up(limit: int) -> list[Ticket]:
    """Those in outside trackers whose state is to be asked for again, the longest unasked first."""
    now = clock.now()
    is_due = Q(looked_up_at=None) | Q(looked_up_at__lt=now - LOOK_AGAIN, state=Ticket.State.OPEN)
    is_due |= Q(looked_up_at__lt=now - LOOK_AGAIN_ENDED, created_at__gt=now - FOLLOWED)
    rows = (
        Ticket.objects.exclude(tracker__in=NEVER_ASKED)
        .filter(is_due)
        .order_by(F("looked_up_at").asc(nulls_first=True), "id")
    )
    return list(rows[:limit])


def note_looked_up(tickets: Sequence[Ticket], states: Mapping[str, str]) -> int:
    """What the tracker said of these tickets; answers how many changed. Each change is an event. Safe to repeat."""
    changed = 0
    for ticket in tickets:
        if (state := states.get(ticket.name)) in Ticket.State.values:
            changed += _note_state(ticket, str(state))
    return changed


@transaction.atomic
def _note_state(ticket: Ticket, state: str) -> int:
    Ticket.objects.filter(pk=ticket.pk).update(looked_up_at=clock.now())
    changed = Ticket.objects.filter(pk=ticket.pk).exclude(state=state).update(state=state)
    if changed:
        record_event(
            "ticket_change", actor=Actor.system(), object=ticket.name, after={"state": state}, by=ticket.tracker
        )
    return changed


def note_states(team_id: int, states: Mapping[str, str], at: datetime) -> None:
    """The same for what a call of a run has found out: its Step tells of it."""
    for state in Ticket.State.values:
        names = [name for name, said in states.items() if said == state]
        _outside(team_id).filter(external_id__in=names).update(state=state, looked_up_at=at)


@transaction.atomic
def set_ticket_state(ticket: Ticket, user: User, state: Ticket.State) -> None:
    """Close a ticket that is kept here, or open it again. While it is open, incidents of its service comment on it.

    Safe to repeat. Raises Refused: not_allowed 403, kept_elsewhere 409.
    """
    if not (verdict := may(user, "note", ticket.run)):
        raise forbidden(verdict.why)
    if ticket.tracker != "local":
        raise Refused("kept_elsewhere", f"{ticket.name} is kept in {ticket.kept_in}: close it there.")
    if Ticket.objects.filter(pk=ticket.pk).exclude(state=state).update(state=state):
        record_event("ticket_change", actor=Actor.person(user), object=ticket.name, after={"state": str(state)})


def _outside(team_id: int) -> QuerySet[Ticket]:
    return Ticket.objects.filter(run__team_id=team_id).exclude(tracker="local")


def _write_ticket(run: Run, call: ToolCall, data: Mapping[str, Any], at: datetime) -> None:
    Ticket.objects.get_or_create(
        key=call.key,
        defaults={
            "run": run, "call": call, "created_at": at, "title": data["title"], "body": data["body"],
            "service": data.get("service", ""), "severity": data.get("severity", ""), "tracker": data["tracker"],
            "external_id": str(data.get("external_id", ""))[:120], "url": _url(data),
        },
    )  # fmt: skip


def _url(data: Mapping[str, Any]) -> str:
    """As the tracker gave it; one that is too long to keep would be a link to somewhere else."""
    url = str(data.get("url", ""))
    return url if len(url) <= MAX_URL else ""


def _write_comment(run: Run, call: ToolCall, data: Mapping[str, Any], at: datetime) -> None:
    """On a ticket that only the tracker knows there is nothing to keep here: the call's evidence says it."""
    name = str(data["ticket"])
    tickets = Ticket.objects.filter(run__team_id=run.team_id)
    is_ours = name.startswith("T-") and name[2:].isdecimal()
    ticket = tickets.filter(pk=int(name[2:]), external_id="").first() if is_ours else None
    ticket = ticket or tickets.filter(external_id=name).first()
    if ticket is not None:
        TicketComment.objects.get_or_create(
            key=call.key,
            defaults={"ticket": ticket, "run": run, "call": call, "text": data["text"], "url": _url(data),
                      "created_at": at},
        )  # fmt: skip

"""Tickets and comments as the record keeps them, what a tracker says of them, and who closes those kept here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from runs.models import Run, Ticket, TicketComment, ToolCall
from runs.permissions import may
from runs.services.actors import Actor
from runs.services.errors import Refused, forbidden
from runs.services.events import record_event
from runs.states import CallStatus


def record_tickets(run: Run, call: ToolCall, status: str, data: Mapping[str, Any], at: datetime) -> None:
    """What the result of a call means for the list kept here. Safe to repeat: each row has its call's key."""
    match call.tool:
        case "create_ticket" if status == CallStatus.SUCCESS:
            _write_ticket(run, call, data, at)
        case "comment_on_ticket" if status == CallStatus.SUCCESS:
            _write_comment(run, call, data, at)
        case "find_tickets":
            note_states(run.team_id, data.get("states", {}))


def note_states(team_id: int, states: Mapping[str, str]) -> int:
    """Brings tickets of outside trackers up to date with what the tracker says; answers how many changed."""
    changed = 0
    for state in (Ticket.State.OPEN, Ticket.State.CLOSED):
        names = [name for name, said in states.items() if said == state]
        changed += _outside(team_id).filter(external_id__in=names).exclude(state=state).update(state=state)
    return changed


@transaction.atomic
def set_ticket_state(ticket: Ticket, user: User, state: Ticket.State) -> None:
    """Close a ticket that is kept here, or open it again. While it is open, incidents of its service comment on it.

    Safe to repeat. Raises Refused: not_allowed 403, kept_elsewhere 409.
    """
    if not (verdict := may(user, "note", ticket.run)):
        raise forbidden(verdict.why)
    if ticket.tracker != "local":
        raise Refused("kept_elsewhere", f"{ticket.name} is kept in {ticket.tracker}: close it there.")
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
            "external_id": data.get("external_id", ""), "url": data.get("url", ""),
        },
    )  # fmt: skip


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
            defaults={"ticket": ticket, "run": run, "call": call, "text": data["text"], "url": data.get("url", ""),
                      "created_at": at},
        )  # fmt: skip

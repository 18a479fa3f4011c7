"""The global stop switch: while it is set, no run takes a step and no effect starts; waiting runs stay put."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from runs.models import Installation
from runs.redaction import redact
from runs.services.actors import Actor
from runs.services.errors import Refused
from runs.services.events import record_event


@dataclass(frozen=True, slots=True)
class Halt:
    """Who stopped everything, and why."""

    by: str
    reason: str


def halt_all(actor: Actor, reason: str) -> None:
    """Stop everything at its next step. Safe to repeat; the newest reason stands."""
    reason = redact(reason.strip())[:200]
    if not reason:
        raise Refused("no_reason", "Say why everything stops: people will read it on every page.", 400)
    with transaction.atomic():
        Installation.objects.filter(pk=1).update(halted_by=actor.name, halt_reason=reason)
        record_event("halt", actor=actor, object="every run", reason=reason)


def go_on(actor: Actor) -> None:
    """Let runs move again; the reconciler finds them within seconds. Safe to repeat: what is not stopped stays so."""
    with transaction.atomic():
        if Installation.objects.filter(pk=1).exclude(halted_by="").update(halted_by="", halt_reason=""):
            record_event("go_on", actor=actor, object="every run")


def current_halt() -> Halt | None:
    """The switch as people are told of it; None while runs may move. Costs one query."""
    by, reason = Installation.objects.values_list("halted_by", "halt_reason").filter(pk=1).first() or ("", "")
    return Halt(by, reason) if by else None


def is_halted() -> bool:
    """Read before every step and before every effect."""
    return Installation.objects.filter(pk=1).exclude(halted_by="").exists()

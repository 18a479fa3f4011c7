"""Rows that administrators change by hand: teams, members, people. Each is saved with its event, or not at all."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Model

from runs.services.actors import Actor
from runs.services.events import record_event

NOUNS = {"membership": "member", "policyrule": "rule"}  # where people say it otherwise than the model
NOT_KEPT = {"id", "last_login", "date_joined", "created_at"}


@transaction.atomic
def save_recorded(row: Model, actor: Actor) -> None:
    """Write one row, new or changed. Saving what is so already is no event. Safe to repeat."""
    old = type(row)._default_manager.select_for_update().filter(pk=row.pk).first() if row.pk else None
    row.save()
    before, after = _kept(old) if old else None, _kept(row)
    if before != after:
        what = "change" if old else "add"
        record_event(f"{_noun(row)}_{what}", actor=actor, object=_named(row), before=_told(before), after=_told(after))


@transaction.atomic
def delete_recorded(row: Model, actor: Actor) -> None:
    """Take one row away."""
    record_event(f"{_noun(row)}_delete", actor=actor, object=_named(row), before=_told(_kept(row)))
    row.delete()


def _noun(row: Model) -> str:
    name = str(row._meta.model_name)
    return NOUNS.get(name, name)


def _named(row: Model) -> str:
    return f"{_noun(row)} “{row}”"


def _kept(row: Model) -> dict[str, Any]:
    """Each column as a JSON value; the password as it is stored, to be compared and never told."""
    fields = [field for field in row._meta.concrete_fields if field.name not in NOT_KEPT]
    return {field.name: _plain(getattr(row, field.attname)) for field in fields}


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | str | dict | list) else str(value)


def _told(kept: dict[str, Any] | None) -> dict[str, Any] | None:
    return kept and {name: value for name, value in kept.items() if name != "password"}

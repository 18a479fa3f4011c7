"""The one place where a Step is written, and a Run's row with it.

A driver holds the lease and knows `n_steps` and `head_mac`, so its UPDATE is optimistic: both stand in the WHERE beside
state and epoch, and no row means that somebody else appended or that the lease is lost. Everyone else locks the row
first (`locked`) and then takes the same path. Raw SQL stands here and nowhere else: a guarded UPDATE and an INSERT are
a third of what select-for-update, save() and create() cost (bench/README.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections, models, transaction
from django.utils import timezone
from django_fsm import can_proceed

from runs import faults, live
from runs.audit.chain import canonical, digest, stamp, step_mac
from runs.models import Run, Step
from runs.states import RunState, StepKind


class Overtaken(Exception):
    """The row moved under us: another append, a lost lease, a cancel. Re-read; go on only with your own epoch."""


class NotAllowed(Exception):
    """The state machine has no such transition from here. `code` is stable; the text is for people."""

    code = "not_allowed"


@contextmanager
def locked(run_id: int) -> Iterator[Run]:
    """The run's row under its lock, inside a transaction. On SQLite BEGIN IMMEDIATE is that lock."""
    with transaction.atomic():
        yield Run.objects.select_for_update().get(pk=run_id)


def advance(
    run: Run,
    event: str,
    *,
    actor: str,
    payload: Mapping[str, Any] | None = None,
    epoch: int | None = None,
    **changes: Any,
) -> Step:
    """Take one transition: the FSM checks it in memory, one UPDATE and one INSERT write it.

    Raises NotAllowed, Overtaken (the run in memory is then stale: re-read it). Not safe to repeat: it is one move.
    """
    before = run.state
    method = getattr(run, event)
    if not can_proceed(method):
        raise NotAllowed(f"A run that is {RunState(before).label.lower()} cannot {event.replace('_', ' ')}.")
    method(**changes)
    return _write(run, StepKind.TRANSITION, event, before, actor, payload or {}, epoch, [*changes, "state"])


def append(
    run: Run,
    kind: StepKind,
    name: str,
    *,
    actor: str,
    payload: Mapping[str, Any] | None = None,
    epoch: int | None = None,
    **changes: Any,
) -> Step:
    """Write one Step that is no transition, with changes to the run's other columns. Raises Overtaken."""
    for column, value in changes.items():
        setattr(run, column, value)
    return _write(run, kind, name, run.state, actor, payload or {}, epoch, list(changes))


def _write(
    run: Run, kind: StepKind, name: str, before: str, actor: str, payload: Mapping[str, Any], epoch: int | None,
    columns: list[str],
) -> Step:  # fmt: skip
    text, at = canonical(payload), timezone.now()
    step = Step(
        run_id=run.pk, seq=run.n_steps + 1, kind=kind, name=name, before=before, after=run.state, actor=actor,
        epoch=epoch or 0, at=at, body=text, payload_sha256=digest(text), key_id=settings.AUDIT_KEY_ID,
    )  # fmt: skip
    row = {
        "run_id": run.pk, "seq": step.seq, "kind": str(kind), "name": name, "before": before, "after": run.state,
        "actor": actor, "epoch": step.epoch, "at": stamp(at), "payload_sha256": step.payload_sha256,
        "key_id": step.key_id,
    }  # fmt: skip
    step.mac = step_mac(run.head_mac, row)
    expected = {"id": run.pk, "state": before, "n_steps": run.n_steps, "head_mac": run.head_mac}
    if epoch is not None:
        expected["lease_epoch"] = epoch
    values = {"n_steps": step.seq, "head_mac": step.mac, **{name: getattr(run, name) for name in columns}}
    with faults.at("append.write"):
        if not _store(step, expected, values):
            raise Overtaken(f"run {run.pk} moved on from step {run.n_steps}")
        transaction.on_commit(lambda: live.publish(step.run_id, step.seq))
    run.n_steps, run.head_mac = step.seq, step.mac
    return step


def _store(step: Step, expected: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """The guarded UPDATE and the INSERT, both or neither. False when the row was not as expected."""
    database = connections[DEFAULT_DB_ALIAS]
    update, insert = _statements(database.vendor, tuple(values), tuple(expected))
    moved = [_prepared(name, value, database) for name, value in (*values.items(), *expected.items())]
    written = [getattr(step, name) for name in _STEP_COLUMNS]
    if database.vendor == "postgresql":
        # One statement, so one round trip, and atomic by itself outside of a transaction.
        return _prepared_once(database, f"WITH moved AS ({update} RETURNING 1) {insert} FROM moved", [*moved, *written])
    written[_AT] = database.ops.adapt_datetimefield_value(step.at)
    with transaction.atomic(savepoint=False), database.cursor() as cursor:
        cursor.execute(update, moved)
        if cursor.rowcount == 1:
            cursor.execute(insert, written)
            return True
    return False


def _prepared_once(database: Any, statement: str, values: list[Any]) -> bool:
    """Whether the statement wrote a row. The server plans it once a connection; Django's cursors would have it planned
    each time, which takes longer than running it."""
    database.ensure_connection()
    database.validate_no_broken_transaction()
    with database.wrap_database_errors, psycopg.Cursor(database.connection) as cursor:
        return cursor.execute(statement, values, prepare=True).rowcount == 1


# Names and PostgreSQL's types: a SELECT, unlike VALUES, does not take them from the table.
_STEP_COLUMNS = {
    "run_id": "bigint", "seq": "integer", "kind": "text", "name": "text", "before": "text", "after": "text",
    "actor": "text", "epoch": "integer", "at": "timestamptz", "body": "text", "payload_sha256": "text",
    "key_id": "text", "mac": "text",
}  # fmt: skip
_AT = list(_STEP_COLUMNS).index("at")
_NEEDS_PREPARING = (models.JSONField, models.DateTimeField)


@cache
def _statements(vendor: str, changed: tuple[str, ...], expected: tuple[str, ...]) -> tuple[str, str]:
    """UPDATE and INSERT as text; there are as many as there are kinds of moves. All names are our own columns."""
    sets = ", ".join(f'"{_field(name).column}" = %s' for name in changed)
    where = " AND ".join(f'"{_field(name).column}" = %s' for name in expected)
    columns = ", ".join(f'"{name}"' for name in _STEP_COLUMNS)
    update = f"UPDATE runs_run SET {sets} WHERE {where}"  # noqa: S608
    if vendor == "postgresql":
        marks = ", ".join(f"%s::{kind}" for kind in _STEP_COLUMNS.values())
        return update, f"INSERT INTO runs_step ({columns}) SELECT {marks}"
    return update, f"INSERT INTO runs_step ({columns}) VALUES ({', '.join(['%s'] * len(_STEP_COLUMNS))})"  # noqa: S608


@cache
def _field(name: str) -> Any:
    return Run._meta.get_field(name)


def _prepared(name: str, value: Any, database: Any) -> Any:
    field = _field(name)
    if isinstance(field, _NEEDS_PREPARING):
        return field.get_db_prep_save(value, database)
    return str(value) if isinstance(value, str) else value  # the states are enumerations

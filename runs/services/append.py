"""The one place where a Step is written, and a Run's row with it.

A driver holds the lease and knows `n_steps` and `head_mac`, so its UPDATE is optimistic: both stand in the WHERE beside
state and epoch, and no row means that somebody else appended or that the lease is lost. Everyone else locks the row
first (`locked`) and then takes the same path. Raw SQL stands here and nowhere else: a guarded UPDATE and an INSERT are
a third of what select-for-update, save() and create() cost (bench/README.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django_fsm import can_proceed

from runs import faults, live
from runs.audit import canonical, digest, stamp, step_mac
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
    update, update_values = _update(expected, values)
    insert, insert_values = _insert(step)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # One statement, so one round trip, and atomic by itself outside of a transaction.
            both = f"WITH moved AS ({update} RETURNING 1) {insert} SELECT {_marks()} FROM moved"  # noqa: S608
            cursor.execute(both, [*update_values, *insert_values])
            moved: bool = cursor.rowcount == 1
            return moved
        with transaction.atomic():
            cursor.execute(update, update_values)
            if cursor.rowcount == 1:
                cursor.execute(f"{insert} VALUES ({_marks()})", insert_values)
                return True
    return False


def _update(expected: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[str, list[Any]]:
    sets = ", ".join(f"{_column(name)} = %s" for name in values)
    where = " AND ".join(f"{_column(name)} = %s" for name in expected)
    prepared = [_prepared(name, value) for name, value in [*values.items(), *expected.items()]]
    return f"UPDATE runs_run SET {sets} WHERE {where}", prepared  # noqa: S608  names are our own columns


# Names and PostgreSQL's types: a SELECT, unlike VALUES, does not take them from the table.
_STEP_COLUMNS = {
    "run_id": "bigint", "seq": "integer", "kind": "text", "name": "text", "before": "text", "after": "text",
    "actor": "text", "epoch": "integer", "at": "timestamptz", "body": "text", "payload_sha256": "text",
    "key_id": "text", "mac": "text",
}  # fmt: skip


def _insert(step: Step) -> tuple[str, list[Any]]:
    names = ", ".join(connection.ops.quote_name(name) for name in _STEP_COLUMNS)
    return f"INSERT INTO runs_step ({names})", [_adapted(getattr(step, name)) for name in _STEP_COLUMNS]


def _marks() -> str:
    if connection.vendor == "postgresql":
        return ", ".join(f"%s::{kind}" for kind in _STEP_COLUMNS.values())
    return ", ".join(["%s"] * len(_STEP_COLUMNS))


def _column(name: str) -> str:
    return connection.ops.quote_name(Run._meta.get_field(name).column)


def _prepared(name: str, value: Any) -> Any:
    return Run._meta.get_field(name).get_db_prep_save(value, connection)


def _adapted(value: Any) -> Any:
    return connection.ops.adapt_datetimefield_value(value) if hasattr(value, "tzinfo") else value

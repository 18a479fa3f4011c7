"""Triggers that keep the record append-only, approvals from being granted without votes, and services from voting.

`migrate` takes them away before it works and puts them back afterwards (runs/apps.py): SQLite changes a table by making
it anew, which loses its triggers silently, and refuses to rename one that a trigger names. What they cannot stop, the
owner of the database who drops them first, the chains show (`audit verify`). A change of their text needs a migration,
however empty: without one `up` finds the old ones and refuses them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from runs.audit.chain import EXPIRY
from runs.models import Approval, AuditEvent, Membership, Run, Step, Vote

LOG_TABLES: tuple[type[Model], ...] = (Step, AuditEvent)


def put_up(connection: BaseDatabaseWrapper) -> None:
    """Make every trigger anew. Safe to repeat."""
    take_down(connection)
    with connection.cursor() as cursor:
        for statement in _statements(connection):
            cursor.execute(statement)


def take_down(connection: BaseDatabaseWrapper) -> None:
    """Drop what is there of them. Safe to repeat."""
    with connection.cursor() as cursor:
        for table, name in _existing(connection):
            on_table = "" if connection.vendor == "sqlite" else f" ON {table}"
            cursor.execute(f"DROP TRIGGER {name}{on_table}")


def missing(connection: BaseDatabaseWrapper) -> list[str]:
    """Names of triggers that are not there, are switched off, or do something else. Costs one or two queries."""
    read = _written_in_sqlite if connection.vendor == "sqlite" else _written_in_postgres
    there = read(connection)
    return sorted(name for name, text in _expected(connection).items() if there.get(name) != text)


def _tables(connection: BaseDatabaseWrapper) -> set[str]:
    return set(connection.introspection.table_names())


def _existing(connection: BaseDatabaseWrapper) -> list[tuple[str, str]]:
    query = (
        "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'opspilot!_%%' ESCAPE '!'"
        if connection.vendor == "sqlite"
        else "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE tgname LIKE 'opspilot!_%%' ESCAPE '!'"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [])
        found: list[tuple[str, str]] = cursor.fetchall()
    return found


def _statements(connection: BaseDatabaseWrapper) -> Iterator[str]:
    there = _tables(connection)
    needed: tuple[type[Model], ...] = (*LOG_TABLES, Approval, Vote, Membership, Run)
    if {model._meta.db_table for model in needed} <= there:  # a migration backwards has fewer
        yield from _sqlite().values() if connection.vendor == "sqlite" else _postgres()


def _expected(connection: BaseDatabaseWrapper) -> dict[str, str]:
    if connection.vendor == "sqlite":
        return {name: _plain(text) for name, text in _sqlite().items()}
    names = {f"opspilot_{model._meta.db_table}_{what}": "append_only" for model in LOG_TABLES for what in _VERBS}
    bodies = {"append_only": _APPEND_ONLY, "votes": _VOTES, "voters": _VOTERS}
    ours = {**names, "opspilot_votes": "votes", "opspilot_voters": "voters"}
    return {name: _plain(bodies[kind]) for name, kind in ours.items()}


def _plain(text: str) -> str:
    return " ".join(text.split())


# Which change of a Step is none: its payload expires, and the newest event of the installation's chain says so.
def _others(table: type[Model]) -> list[str]:
    return [str(field.column) for field in table._meta.concrete_fields if field.column != "body"]


def _sqlite() -> dict[str, str]:
    """CREATE statements by trigger name."""
    triggers = {}
    for model in LOG_TABLES:
        table = model._meta.db_table
        may = f" WHEN NOT ({_expires_in_sqlite()})" if model is Step else ""
        for what in ("update", "delete"):
            name = f"opspilot_{table}_{what}"
            triggers[name] = (
                f"CREATE TRIGGER {name} BEFORE {what.upper()} ON {table}{may if what == 'update' else ''} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
    triggers["opspilot_votes"] = (
        "CREATE TRIGGER opspilot_votes BEFORE UPDATE ON runs_approval "
        f"WHEN {_UNVOTED} BEGIN SELECT RAISE(ABORT, 'an approval needs its votes'); END"
    )
    triggers["opspilot_voters"] = (
        "CREATE TRIGGER opspilot_voters BEFORE INSERT ON runs_vote "
        f"WHEN {_BY_A_SERVICE} BEGIN SELECT RAISE(ABORT, 'a service account never votes'); END"
    )
    return triggers


def _expires_in_sqlite() -> str:
    same = " AND ".join(f'NEW."{name}" IS OLD."{name}"' for name in _others(Step))
    return (
        f"NEW.body IS NULL AND {same} AND EXISTS (SELECT 1 FROM runs_auditevent AS tombstone "  # noqa: S608  our names
        f"WHERE tombstone.verb = '{EXPIRY}' AND tombstone.seq = (SELECT MAX(seq) FROM runs_auditevent) "
        "AND OLD.id BETWEEN json_extract(tombstone.body, '$.first') AND json_extract(tombstone.body, '$.last') "
        "AND OLD.at < replace(rtrim(json_extract(tombstone.body, '$.older_than'), 'Z'), 'T', ' '))"
    )


_UNVOTED = (
    "(OLD.state <> 'APPROVED' AND NEW.state = 'APPROVED' AND "
    "(OLD.state <> 'PENDING' OR OLD.required <> NEW.required OR "
    "(SELECT COUNT(*) FROM runs_vote WHERE approval_id = OLD.id AND approve) < NEW.required)) "
    "OR (OLD.state NOT IN ('APPROVED', 'CONSUMED') AND NEW.state = 'CONSUMED')"
)
_BY_A_SERVICE = (
    "EXISTS (SELECT 1 FROM runs_approval JOIN runs_run ON runs_run.id = runs_approval.run_id "
    "JOIN runs_membership ON runs_membership.team_id = runs_run.team_id "
    "WHERE runs_approval.id = NEW.approval_id AND runs_membership.user_id = NEW.user_id AND runs_membership.is_service)"
)
_VERBS = ("update", "delete", "truncate")
_APPEND_ONLY = """
BEGIN
  IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'runs_step' THEN
    IF NEW.body IS NULL AND to_jsonb(NEW) - 'body' = to_jsonb(OLD) - 'body' AND EXISTS (
      SELECT 1 FROM runs_auditevent AS tombstone
      WHERE tombstone.verb = 'payloads_expire' AND tombstone.seq = (SELECT MAX(seq) FROM runs_auditevent)
      AND OLD.id BETWEEN (tombstone.body::jsonb->>'first')::bigint AND (tombstone.body::jsonb->>'last')::bigint
      AND OLD.at < (tombstone.body::jsonb->>'older_than')::timestamptz
    ) THEN RETURN NEW; END IF;
  END IF;
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
"""
_VOTES = f"""
BEGIN
  IF {_UNVOTED} THEN
    RAISE EXCEPTION 'an approval needs its votes' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END
"""
_VOTERS = f"""
BEGIN
  IF {_BY_A_SERVICE} THEN
    RAISE EXCEPTION 'a service account never votes' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END
"""


def _postgres() -> Iterator[str]:
    functions = {"append_only": _APPEND_ONLY, "votes": _VOTES, "voters": _VOTERS}
    for name, body in functions.items():
        yield f"CREATE OR REPLACE FUNCTION opspilot_{name}() RETURNS trigger LANGUAGE plpgsql AS $${body}$$"
    for model in LOG_TABLES:
        for what in _VERBS:
            each = "STATEMENT" if what == "truncate" else "ROW"
            yield from _postgres_trigger(model, f"opspilot_{model._meta.db_table}_{what}", what, each, "append_only")
    yield from _postgres_trigger(Approval, "opspilot_votes", "update", "ROW", "votes")
    yield from _postgres_trigger(Vote, "opspilot_voters", "insert", "ROW", "voters")


def _postgres_trigger(model: type[Model], name: str, what: str, each: str, function: str) -> Iterator[str]:
    table = model._meta.db_table
    yield (
        f"CREATE TRIGGER {name} BEFORE {what.upper()} ON {table} FOR EACH {each} EXECUTE FUNCTION opspilot_{function}()"
    )
    # ALWAYS: session_replication_role = replica, which silences other triggers, does not silence these.
    yield f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"


def _written_in_sqlite(connection: BaseDatabaseWrapper) -> dict[str, str]:
    return dict(_read(connection, "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))


def _written_in_postgres(connection: BaseDatabaseWrapper) -> dict[str, str]:
    return dict(
        _read(
            connection,
            "SELECT tgname, prosrc FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid WHERE tgenabled = 'A'",
        )
    )


def _read(connection: BaseDatabaseWrapper, query: str) -> Iterator[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        rows: list[Any] = cursor.fetchall()
    return ((name, _plain(text)) for name, text in rows)

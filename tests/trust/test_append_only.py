"""The database itself refuses to change the record: by the ORM, by SQL, on both databases, after a migration too."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core.checks import Tags, run_checks
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction

from opspilot_site.database import WrongDatabase, prepare_database
from runs.audit.append_only import missing, put_up, take_down
from runs.models import Approval, AuditEvent, Run, Step, Team, Vote
from runs.services.actors import Actor
from runs.services.events import record_event
from runs.services.teams import add_member
from runs.states import ApprovalState, Role
from tests.runs.story import a_run, approved, parked

CHANGES = [
    "UPDATE {table} SET actor = 'user:nobody'",
    "UPDATE {table} SET body = '{{}}'",
    "UPDATE {table} SET mac = mac",
    "DELETE FROM {table}",
    "DELETE FROM {table} WHERE seq = 1",
]


@pytest.fixture
def run(team: Team, alice: User) -> Run:
    record_event("halt", actor=Actor.system())
    return a_run(team, alice)


@pytest.mark.parametrize("table", ["runs_step", "runs_auditevent"])
@pytest.mark.parametrize("change", CHANGES)
def test_sql_cannot_change_a_log(run: Run, table: str, change: str) -> None:
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change.format(table=table))


@pytest.mark.parametrize("model", [Step, AuditEvent])
def test_the_orm_cannot_change_a_log(run: Run, model: type[Step] | type[AuditEvent]) -> None:
    row = model.objects.first()
    assert row is not None
    row.actor = "user:nobody"
    for change in (row.save, row.delete, model.objects.all().delete, lambda: model.objects.update(actor="x")):
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            change()


def test_a_row_is_not_replaced_by_an_insert(run: Run) -> None:
    columns = ", ".join(f'"{field.column}"' for field in Step._meta.concrete_fields)
    values = columns.replace('"actor"', "'user:nobody'")
    replace = "INSERT OR REPLACE" if connection.vendor == "sqlite" else "INSERT"
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"{replace} INTO runs_step ({columns}) SELECT {values} FROM runs_step")  # noqa: S608


@pytest.mark.django_db(transaction=True)
def test_a_log_is_not_truncated(run: Run) -> None:
    if connection.vendor == "sqlite":  # which has no TRUNCATE: DELETE without WHERE is that, and takes another path
        statements = ["DELETE FROM runs_step", "DELETE FROM runs_auditevent"]
    else:
        statements = [
            "TRUNCATE runs_step CASCADE", "TRUNCATE runs_auditevent",
            "SET LOCAL session_replication_role = replica; DELETE FROM runs_step",
        ]  # fmt: skip
    for statement in statements:
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def _say_expired(step: Step, older_than: str = "2999-01-01T00:00:00Z") -> None:
    record_event("payloads_expire", actor=Actor.system(), first=step.pk, last=step.pk, older_than=older_than)


def test_a_payload_goes_only_under_the_newest_event_that_covers_it(run: Run) -> None:
    first, second = Step.objects.order_by("id")[:2] if run.n_steps > 1 else (Step.objects.get(), None)
    expire = Step.objects.filter(pk=first.pk)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        expire.update(body=None)

    record_event(
        "payloads_expire", actor=Actor.system(), first=first.pk, last=first.pk, older_than="2999-01-01T00:00:00Z"
    )
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        expire.update(body=None, actor="user:nobody")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        expire.update(body="{}")
    if second:
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            Step.objects.filter(pk=second.pk).update(body=None)
    record_event("go_on", actor=Actor.system())
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        expire.update(body=None)

    record_event(
        "payloads_expire", actor=Actor.system(), first=first.pk, last=first.pk, older_than="2999-01-01T00:00:00Z"
    )
    assert expire.update(body=None) == 1


def test_a_payload_that_is_too_young_stays(run: Run) -> None:
    step = Step.objects.get(seq=1)
    record_event(
        "payloads_expire", actor=Actor.system(), first=step.pk, last=step.pk, older_than="2001-01-01T00:00:00Z"
    )
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        Step.objects.filter(pk=step.pk).update(body=None)


def test_an_approval_is_not_granted_without_its_votes(team: Team, alice: User, bob: User, carol: User) -> None:
    approval = parked(team, alice, risk="destructive")
    grant = Approval.objects.filter(pk=approval.pk)
    with pytest.raises(IntegrityError, match="votes"), transaction.atomic():
        grant.update(state=ApprovalState.APPROVED)
    approved(approval, bob)
    with pytest.raises(IntegrityError, match="votes"), transaction.atomic():
        grant.update(state=ApprovalState.APPROVED)
    with pytest.raises(IntegrityError, match="votes"), transaction.atomic():
        grant.update(state=ApprovalState.APPROVED, required=1)
    approved(approval, carol)

    assert grant.get().state == ApprovalState.APPROVED
    assert Vote.objects.filter(approval=approval).count() == 2


@pytest.mark.parametrize("state", ["DENIED", "EXPIRED", "VOID", "CONSUMED"])
def test_what_was_decided_is_not_granted_afterwards(team: Team, alice: User, bob: User, state: str) -> None:
    approval = parked(team, alice)
    rows = Approval.objects.filter(pk=approval.pk)
    Vote.objects.create(approval=approval, user=bob, approve=True, door="web", at=approval.asked_at)
    if state == "CONSUMED":
        with pytest.raises(IntegrityError, match="votes"), transaction.atomic():
            rows.update(state=state)
        return
    rows.update(state=state)
    for wanted in ("APPROVED", "CONSUMED"):
        with pytest.raises(IntegrityError, match="votes"), transaction.atomic():
            rows.update(state=wanted)


def test_a_service_account_never_votes_whatever_the_code_says(team: Team, alice: User, bob: User) -> None:
    approval = parked(team, alice)
    add_member(team, bob, Role.APPROVER, is_service=True)
    with pytest.raises(IntegrityError, match="service account"), transaction.atomic():
        Vote.objects.create(approval=approval, user=bob, approve=True, door="api", at=approval.asked_at)


def test_a_trigger_that_is_gone_or_does_nothing_is_noticed_at_the_start(run: Run) -> None:
    assert run_checks(tags=[Tags.database], databases=["default"]) == []
    table = "" if connection.vendor == "sqlite" else " ON runs_step"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER opspilot_runs_step_delete{table}")

    (problem,) = run_checks(tags=[Tags.database], databases=["default"])
    assert problem.id == "runs.E004"
    assert "opspilot_runs_step_delete" in problem.msg
    assert "audit verify" in problem.hint
    with pytest.raises(WrongDatabase, match="opspilot_runs_step_delete"):
        prepare_database()

    if connection.vendor == "sqlite":
        harmless = "CREATE TRIGGER opspilot_runs_step_delete BEFORE DELETE ON runs_step BEGIN SELECT 1; END"
    else:
        harmless = (
            "CREATE TRIGGER opspilot_runs_step_delete BEFORE DELETE ON runs_step "
            "FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"
        )
    with connection.cursor() as cursor:
        cursor.execute(harmless)
    assert missing(connection) == ["opspilot_runs_step_delete"]


@pytest.mark.django_db(transaction=True)
def test_migrating_puts_the_triggers_back(run: Run) -> None:
    take_down(connection)
    assert len(missing(connection)) == (6 if connection.vendor == "sqlite" else 8)
    call_command("migrate", verbosity=0)

    assert missing(connection) == []


@pytest.mark.django_db(transaction=True)
def test_putting_them_up_twice_is_harmless(run: Run) -> None:
    put_up(connection)
    put_up(connection)

    assert missing(connection) == []

"""Whoever can write the database cannot change its past unseen: each tampering is found and named.

10,000 signed rows in 500 runs, and a long one. `id` and `recorded_at` are not chained (docs/operations.md); nothing
rests on them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from bench.ours.signed import fill_signed
from runs.audit.append_only import take_down
from runs.audit.chain import CHAINED, EVENT_CHAINED, Damage, digest, verify_chain, verify_events
from runs.audit.heads import HeadsWriter
from runs.audit.heads_check import check_heads
from runs.audit.verification import verify_all, verify_run
from runs.models import AuditEvent, Installation, Run, Step
from runs.services.actors import Actor
from runs.services.events import record_event
from runs.services.expiry import expire_payloads
from runs.services.teams import seed_defaults

LONG, SHORT = 1_000, [20] * 500
EVENTS = 40
FLIPS = 3_000


@pytest.fixture(scope="module")
def _filled(django_db_setup: None, django_db_blocker: Any) -> Iterator[list[int]]:
    """The rows, made once; each test rolls back to them."""
    with django_db_blocker.unblock(), transaction.atomic():
        take_down(connection)  # the triggers would refuse every one of these tamperings
        ids = fill_signed([LONG, *SHORT], seed_defaults(), ago=timedelta(days=100))
        for number in range(EVENTS):
            record_event("rule_change", actor=Actor.system(), before={"votes": number}, after={"votes": number + 1})
        yield ids
        transaction.set_rollback(True)


@pytest.fixture
def runs(_filled: list[int], db: None) -> list[int]:
    return _filled


@pytest.fixture
def heads(runs: list[int], tmp_path: Path) -> Path:
    path = tmp_path / "heads.jsonl"
    HeadsWriter(path).write()
    return path


def test_an_honest_record_verifies(runs: list[int], heads: Path) -> None:
    findings = verify_all()

    assert (findings.chains, findings.rows, findings.damages) == (502, 11_000 + EVENTS, [])
    assert check_heads(heads) == (1, [])


# One bit ------------------------------------------------------------------------------------------------------------


def _flipped(value: Any, dice: random.Random) -> Any:
    match value:
        case str():
            place = dice.randrange(len(value))
            return value[:place] + chr(ord(value[place]) ^ (1 << dice.randrange(7))) + value[place + 1 :]
        case int():
            return value ^ (1 << dice.randrange(31))
        case datetime():
            micros = round((value - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros ^ (1 << dice.randrange(50)))
    raise AssertionError(value)


def _chains(names: tuple[str, ...]) -> list[list[SimpleNamespace]]:
    rows = Step.objects.order_by("run_id", "seq").values(*names)
    return [[SimpleNamespace(**row) for row in chain] for _, chain in groupby(rows, key=lambda row: row["run_id"])]


def _is_missed(chain: list[SimpleNamespace], place: int, column: str, dice: random.Random) -> bool:
    """Flip one bit of one row in memory, look, put it back."""
    row, run, mac = chain[place], chain[0].run_id, chain[-1].mac
    before = getattr(row, column)
    setattr(row, column, _flipped(before, dice))
    damage = verify_chain(run, len(chain), mac, chain)
    setattr(row, column, before)
    return damage is None or damage.seq != place + 1


def test_one_bit_in_any_column_of_any_row_is_found_and_the_row_is_named(runs: list[int]) -> None:
    names = (*CHAINED, "mac", "body")
    dice = random.Random(11)
    rows = [(chain, place) for chain in _chains(names)[1:] for place in range(len(chain))]
    assert len(rows) == 10_000
    missed = []
    for chain, place in [*dice.choices(rows, k=FLIPS), *rows]:
        column = dice.choice([name for name in names if getattr(chain[place], name) != ""])
        if _is_missed(chain, place, column, dice):
            missed.append((chain[0].run_id, place + 1, column))
    assert missed == []


def test_one_bit_in_the_database_is_found_too(runs: list[int]) -> None:
    dice = random.Random(12)
    for _ in range(100):
        step = dice.choice(Step.objects.filter(run_id=dice.choice(runs[1:])))
        column = dice.choice(["kind", "name", "before", "after", "actor", "body", "payload_sha256", "mac", "epoch"])
        with _undone():
            value = getattr(step, column)
            Step.objects.filter(pk=step.pk).update(**{column: _flipped(value, dice) if value != "" else "x"})
            damage = verify_run(step.run_id)
        assert damage is not None
        assert (damage.run_id, damage.seq) == (step.run_id, step.seq)


def test_one_bit_of_an_event_or_of_a_head_is_found(runs: list[int]) -> None:
    dice = random.Random(13)
    rows = [SimpleNamespace(**row) for row in AuditEvent.objects.values(*EVENT_CHAINED, "mac", "body")]
    for row in rows:
        for column in (*EVENT_CHAINED, "mac", "body"):
            before = getattr(row, column)
            setattr(row, column, _flipped(before, dice) if before != "" else "x")
            damage = verify_events(EVENTS, rows[-1].mac, rows)
            setattr(row, column, before)
            assert damage is not None
            assert damage.seq in (row.seq, row.seq + 1), column
    for model, at in ((Run, runs[5]), (Installation, 1)):
        for change in ({"head_mac": "0" * 64}, {"n_steps": 21}, {"n_steps": 19}):
            with _undone():
                if model is Installation:
                    change = {name.replace("n_steps", "n_events"): value for name, value in change.items()}
                model.objects.filter(pk=at).update(**change)
                assert {damage.kind for damage in verify_all().damages} <= {"head", "tail"}
                assert verify_all().n_damages == 1


class _undone:
    """A block whose changes are taken back."""

    def __enter__(self) -> None:
        self._atomic = transaction.atomic()
        self._atomic.__enter__()

    def __exit__(self, *error: Any) -> None:
        transaction.set_rollback(True)
        self._atomic.__exit__(*error)


# Whole rows ---------------------------------------------------------------------------------------------------------


def _delete_middle(run: int) -> None:
    Step.objects.filter(run_id=run, seq=500).delete()


def _delete_and_close_the_gap(run: int) -> None:
    _delete_middle(run)
    for seq in range(501, LONG + 1):
        Step.objects.filter(run_id=run, seq=seq).update(seq=seq - 1)
    Run.objects.filter(pk=run).update(n_steps=LONG - 1)


def _swap(run: int, one: int, other: int) -> None:
    columns = [name for name in (*CHAINED, "mac", "body") if name != "seq"]
    rows = {seq: Step.objects.filter(run_id=run, seq=seq).values(*columns).get() for seq in (one, other)}
    Step.objects.filter(run_id=run, seq=one).update(**rows[other])
    Step.objects.filter(run_id=run, seq=other).update(**rows[one])


def _insert(run: int) -> None:
    for seq in range(LONG, 499, -1):
        Step.objects.filter(run_id=run, seq=seq).update(seq=seq + 1)
    forged = Step.objects.get(run_id=run, seq=499)
    forged.pk, forged.seq, forged.actor = None, 500, "user:mallory"
    forged.save(force_insert=True)
    Run.objects.filter(pk=run).update(n_steps=LONG + 1)


def _cut(run: int, rows: int) -> None:
    """As whoever owns the database would: the run's own row says the same as what is left."""
    left = LONG - rows
    Step.objects.filter(run_id=run, seq__gt=left).delete()
    mac = Step.objects.filter(run_id=run, seq=left).values_list("mac", flat=True).first() or ""
    Run.objects.filter(pk=run).update(n_steps=left, head_mac=mac)


@pytest.mark.parametrize(
    ("tamper", "seq", "kind"),
    [
        (_delete_middle, 500, "gap"),
        (_delete_and_close_the_gap, 500, "body"),
        (lambda run: _swap(run, 400, 700), 400, "order"),
        (lambda run: _swap(run, 400, 401), 400, "order"),
        (_insert, 500, "body"),
        (lambda run: Step.objects.filter(run_id=run, seq__gt=990).delete(), 991, "tail"),
        (lambda run: Step.objects.filter(run_id=run, seq=7).update(key_id="k9"), 7, "key"),
        (lambda run: Step.objects.filter(run_id=run, seq=7).update(body="{}"), 7, "payload"),
        (lambda run: Step.objects.filter(run_id=run, seq=7).update(body=None), 7, "expired"),
    ],
)
def test_rows_taken_away_moved_or_put_in_are_named(
    runs: list[int], tamper: Callable[[int], object], seq: int, kind: str
) -> None:
    tamper(runs[0])

    assert verify_all().damages == [Damage(runs[0], seq, kind)]


@pytest.mark.parametrize("rows", [1, 10, LONG])
def test_a_cut_tail_is_found_by_the_heads_file_only(runs: list[int], heads: Path, rows: int) -> None:
    _cut(runs[0], rows)

    assert verify_all().damages == [], "without the file a tail that was cut cleanly cannot be known"
    assert check_heads(heads)[1] == [Damage(runs[0], LONG - rows + 1, "tail")]


def test_a_run_that_is_gone_is_found_by_the_heads_file_only(runs: list[int], heads: Path) -> None:
    Step.objects.filter(run_id=runs[3]).delete()
    Run.objects.filter(pk=runs[3]).delete()

    assert verify_all().damages == []
    assert check_heads(heads)[1] == [Damage(runs[3], 1, "dropped run")]


def test_an_earlier_copy_of_the_database_is_found_by_the_heads_file_only(runs: list[int], tmp_path: Path) -> None:
    writer = HeadsWriter(tmp_path / "heads.jsonl")
    writer.write()
    with _undone():  # what is taken back is the day after the copy
        fill_signed([5, 6], Run.objects.get(pk=runs[0]).team)
        record_event("halt", actor=Actor.system())
        assert writer.write() == 1

    assert verify_all().damages == []
    lines, damages = check_heads(tmp_path / "heads.jsonl")
    assert lines == 2
    assert damages[0] == Damage(0, EVENTS + 1, "rollback")
    assert len(damages) == 3
    assert {damage.kind for damage in damages} == {"rollback"}


def test_a_copy_that_went_on_is_found_by_the_heads_file_only(runs: list[int], tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    with _undone():
        for verb in ("halt", "go_on"):
            record_event(verb, actor=Actor.system())
        HeadsWriter(path).write()
    for verb in ("halt", "halt", "halt"):
        record_event(verb, actor=Actor.system())

    assert verify_all().damages == []
    assert check_heads(path)[1] == [Damage(0, EVENTS + 2, "rollback")]


def test_a_chain_that_was_made_anew_without_the_key_is_found(runs: list[int]) -> None:
    previous = ""
    for step in Step.objects.filter(run_id=runs[1]).order_by("seq"):
        previous = digest(f"{previous}\n{step.body}")
        Step.objects.filter(pk=step.pk).update(mac=previous, actor="user:nobody")
    Run.objects.filter(pk=runs[1]).update(head_mac=previous)

    assert verify_all().damages == [Damage(runs[1], 1, "body")]


def test_every_broken_chain_is_reported_once(runs: list[int]) -> None:
    Step.objects.filter(seq=3, run_id__in=runs[1:4]).update(actor="user:nobody")
    AuditEvent.objects.filter(seq=9).update(object="rule 4")

    assert verify_all().damages == [Damage(0, 9, "body"), *(Damage(run, 3, "body") for run in runs[1:4])]


# The heads file itself ----------------------------------------------------------------------------------------------


def _grown(path: Path, lines: int) -> list[str]:
    writer = HeadsWriter(path)
    for _ in range(lines):
        record_event("halt", actor=Actor.system())
        writer.write()
    return path.read_text().splitlines(keepends=True)


@pytest.mark.parametrize(
    ("tamper", "line"),
    [
        (lambda lines: lines[:2] + lines[3:], 3),
        (lambda lines: lines[1:], 1),
        (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], 3),
        (lambda lines: [*lines[:2], lines[2].replace('"n":3', '"n":4'), *lines[3:]], 3),
        (lambda lines: [*lines[:2], "nonsense\n", *lines[3:]], 3),
        (lambda lines: [*lines, "nonsense\n"], 6),
        (lambda lines: [*lines, '{"n":6}\n'], 6),
        (lambda lines: [*lines, "[]\n"], 6),
    ],
)
def test_a_heads_file_that_was_changed_is_named_with_its_line(
    runs: list[int], tmp_path: Path, tamper: Callable[[list[str]], list[str]], line: int
) -> None:
    path = tmp_path / "heads.jsonl"
    path.write_text("".join(tamper(_grown(path, 5))))

    assert check_heads(path)[1] == [Damage(0, line, "heads file")]


def test_a_line_that_a_crash_cut_short_is_passed_over(runs: list[int], tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    lines = _grown(path, 3)
    path.write_text("".join([*lines[:2], lines[2][:40]]))
    assert check_heads(path) == (2, [])

    record_event("halt", actor=Actor.system())
    HeadsWriter(path).write()
    assert check_heads(path) == (3, [])
    assert len(path.read_text().splitlines()) == 4


def test_lines_are_written_for_what_has_changed_only(runs: list[int], tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    writer = HeadsWriter(path)
    assert [writer.write(), writer.write()] == [1, 0]
    (new,) = fill_signed([5], Run.objects.get(pk=runs[0]).team)
    assert [writer.write(), writer.write()] == [1, 0]

    assert set(json.loads(path.read_text().splitlines()[1])["heads"]) == {str(new)}


def test_several_writers_make_one_file(runs: list[int], tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    one, other = HeadsWriter(path), HeadsWriter(path)
    for writer in (one, other, one, other):
        record_event("halt", actor=Actor.system())
        writer.write()

    assert check_heads(path) == (4, [])


# Payloads that expire, keys that change -----------------------------------------------------------------------------


def test_what_has_expired_still_verifies_and_a_forged_tombstone_does_not(runs: list[int], heads: Path) -> None:
    (young,) = fill_signed([20], Run.objects.get(pk=runs[0]).team)
    before = datetime.now(UTC) - timedelta(days=90)
    assert expire_payloads(before, Actor.system()) == 11_000
    assert expire_payloads(before, Actor.system()) == 0
    assert Step.objects.exclude(body=None).values_list("run_id", flat=True).distinct().get() == young
    assert verify_all().damages == []
    assert check_heads(heads)[1] == []

    Step.objects.filter(run_id=young, seq=4).update(body=None)
    assert verify_all().damages == [Damage(young, 4, "expired")]
    stone = AuditEvent.objects.get(verb="payloads_expire")
    body = json.dumps(stone.payload | {"older_than": "2999-01-01T00:00:00.000000Z", "last": 10**9})
    AuditEvent.objects.filter(pk=stone.pk).update(body=body)
    assert verify_all().damages == [Damage(0, stone.seq, "payload")]
    AuditEvent.objects.filter(pk=stone.pk).update(body=body, payload_sha256=digest(body))
    assert verify_all().damages == [Damage(0, stone.seq, "body")]


def test_rows_of_an_older_key_verify_with_it_and_not_without(runs: list[int], settings: Any) -> None:
    old = settings.AUDIT_KEYS
    settings.AUDIT_KEY_ID, settings.AUDIT_KEYS = "k2", {**old, "k2": "a new secret"}
    record_event("halt", actor=Actor.system())
    assert AuditEvent.objects.get(seq=EVENTS + 1).key_id == "k2"
    assert verify_all().damages == []

    settings.AUDIT_KEYS = {"k2": "a new secret"}
    findings = verify_all()
    assert findings.n_damages == 502
    assert {damage.kind for damage in findings.damages} == {"key"}
    settings.AUDIT_KEYS = {**old, "k1": "not the secret", "k2": "a new secret"}
    assert {damage.kind for damage in verify_all().damages} == {"body"}


# The command --------------------------------------------------------------------------------------------------------


def test_the_command_says_that_all_is_well_or_names_the_row_and_exits_1(
    runs: list[int], heads: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("audit", "verify", heads=heads)
    assert "502 chains intact, 11,040 rows verified, as 1 line of" in capsys.readouterr().out

    Step.objects.filter(run_id=runs[2], seq=5).update(actor="user:nobody")
    _cut(runs[0], 10)
    with pytest.raises(CommandError) as ended:
        call_command("audit", "verify", heads=heads)
    assert ended.value.returncode == 1
    out = capsys.readouterr().out
    assert f"run {runs[2]}, step 5: the step was altered" in out
    assert f"run {runs[0]}, step 991: steps are missing at the end" in out

    with pytest.raises(CommandError):
        call_command("audit", "verify", "--json", "--run", str(runs[2]), heads=heads)
    told = json.loads(capsys.readouterr().out)
    assert told["damages"] == [
        {"run": runs[2], "seq": 5, "kind": "body", "words": f"run {runs[2]}, step 5: the step was altered"}
    ]


def test_a_heads_file_that_is_not_there_is_said(runs: list[int], tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file") as ended:
        call_command("audit", "verify", heads=tmp_path / "none.jsonl")
    assert ended.value.returncode == 2

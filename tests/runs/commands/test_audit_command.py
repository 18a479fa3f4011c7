"""`audit export`, `prune` and `heads`: what they print, what they record, and that every line parses back equal."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from runs.audit.chain import canonical, digest, step_mac
from runs.audit.export import CSV_COLUMNS, csv_lines, json_line
from runs.audit.heads import HeadsWriter
from runs.audit.heads_check import check_heads
from runs.audit.verification import verify_all
from runs.models import AuditEvent, Run, Step, Team
from runs.reconcile import note_heads
from runs.services.actors import Actor
from runs.services.events import record_event
from tests.runs.story import approved, finished, parked

NOW = datetime(2026, 11, 23, 2, 14, tzinfo=UTC)
NASTY = st.text() | st.sampled_from(
    ["\r\n", "\x1b[31m", "\u2028", "\x00", "|", "\\", "=1+1", '"', "\ud800", "x" * 9_999]
)


@pytest.fixture
def done(team: Team, alice: User, bob: User) -> Run:
    approval = parked(team, alice)
    approved(approval, bob)
    return finished(approval)


def _exported(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    call_command("audit", "export", *words)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_export_holds_every_row_in_order_and_is_itself_on_record(
    done: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = _exported(capsys)
    assert len(rows) == Step.objects.count() + AuditEvent.objects.count()
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)
    assert rows[-1] | {"mac": ""} == rows[-1] | {"mac": "", "name": "audit_export", "object": "everything", "run": None}

    assert {row["run"] for row in _exported(capsys, "--run", str(done.pk))} == {done.pk}
    assert {row["name"] for row in _exported(capsys, "--since", "2999-01-01")} == set()


@pytest.mark.parametrize("wrong", ["yesterday", "2026-13-01", "2026-02-30T99:00:00"])
def test_a_time_that_is_none_is_refused(db: None, wrong: str) -> None:
    with pytest.raises(CommandError, match="is no date"):
        call_command("audit", "export", "--since", wrong)


@given(text=NASTY, name=NASTY)
@examples(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_each_record_is_one_line_and_parses_back_equal(text: str, name: str) -> None:
    """Whatever a person, a tool or a model wrote: JSON lines keep it, a spreadsheet shows it and runs none of it."""
    body = canonical({"text": text, name: [text]})
    step = Step(
        run_id=7, run=Run(pk=7, started_by=name), seq=3, kind="note", name="note", actor=name, at=NOW, recorded_at=NOW,
        body=body, payload_sha256=digest(body), key_id="k1", mac="0" * 64,
    )  # fmt: skip
    line = json_line(step)
    assert line.isascii()
    assert line.splitlines() == [line.rstrip("\n")]
    kept = json.loads(line)
    assert kept["payload"] == json.loads(body)
    assert digest(canonical(kept["payload"])) == kept["payload_sha256"]
    assert step_mac("", kept | {"run_id": 7}) == step_mac("", vars(step) | {"at": kept["at"]})

    table = csv_lines([step])
    assert len(table.splitlines()) == 1
    (cells,) = csv.reader([table])
    assert len(cells) == len(CSV_COLUMNS)
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)


def test_old_payloads_of_ended_runs_expire_and_the_rest_stays(
    done: Run, team: Team, alice: User, as_alice: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = parked(team, alice).run
    call_command("audit", "prune", "--before", datetime.now(UTC).isoformat())

    assert f"{done.steps.count()} payloads expired" in capsys.readouterr().out
    assert not done.steps.exclude(body=None).exists()
    assert not waiting.steps.filter(body=None).exists()
    assert verify_all().damages == []
    event = AuditEvent.objects.get(verb="payloads_expire")
    assert event.payload["rows"] == done.steps.count()
    assert as_alice.get(f"/runs/{done.pk}/").status_code == 200


def test_payloads_of_the_future_do_not_expire(done: Run) -> None:
    with pytest.raises(CommandError, match="has passed") as ended:
        call_command("audit", "prune", "--before", "2999-01-01")
    assert ended.value.returncode == 2


def test_the_heads_are_noted_on_demand_and_by_the_reconciler(
    done: Run, tmp_path: Path, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.AUDIT_HEADS = tmp_path / "elsewhere" / "heads.jsonl"
    call_command("audit", "heads")
    assert "1 line added" in capsys.readouterr().out
    record_event("halt", actor=Actor.system())
    note_heads(HeadsWriter(settings.AUDIT_HEADS))

    assert check_heads(settings.AUDIT_HEADS) == (2, [])


def test_a_heads_file_that_cannot_be_written_stops_nothing_and_is_said(
    done: Run, tmp_path: Path, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    record_event("halt", actor=Actor.system())
    settings.AUDIT_HEADS = tmp_path
    note_heads(HeadsWriter(tmp_path))
    assert "was not written" in caplog.text
    with pytest.raises(CommandError) as ended:
        call_command("audit", "heads")
    assert ended.value.returncode == 1

"""Fills a database with runs whose chains are signed as the product signs them, in bulk: to measure verifying."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from runs.audit.chain import CHAINED, canonical, digest, stamp, step_mac
from runs.models import Run, Step, Team
from runs.states import RunState, StepKind

CHUNK = 20_000  # steps in one transaction
COLUMNS = (*CHAINED, "mac", "body")
BODY = {"call": 7, "evidence": "E3", "status": "success", "summary": "41 of 2,210 lines match", "sha256": "0" * 64}


def fill_signed(lengths: list[int], team: Team, ago: timedelta = timedelta(0)) -> list[int]:
    """One ended run for each length, with so many Steps; returns their ids, in order."""
    at = timezone.now() - ago
    runs = Run.objects.bulk_create(
        Run(team=team, goal=f"Investigate incident {n}", started_by="user:alice", as_of=at, state=RunState.DONE)
        for n in range(len(lengths))
    )
    waiting: list[tuple[Any, ...]] = []
    heads: list[Run] = []
    for run, length in zip(runs, lengths, strict=True):
        for row in _chain(run.pk, length, at):
            waiting.append(tuple(row[name] for name in COLUMNS))
        run.n_steps, run.head_mac = length, row["mac"]
        heads.append(run)
        if len(waiting) >= CHUNK:
            _store(waiting, heads)
            waiting, heads = [], []
    _store(waiting, heads)
    return [run.pk for run in runs]


def _chain(run: int, length: int, at: datetime) -> Iterator[dict[str, Any]]:
    previous = ""
    for seq in range(1, length + 1):
        body = canonical({**BODY, "n": seq})
        moment = at + timedelta(milliseconds=seq)
        row: dict[str, Any] = {
            "run_id": run, "seq": seq, "kind": str(StepKind.TOOL_RESULT), "name": "search_logs",
            "before": "EXECUTE_TOOL", "after": "EXECUTE_TOOL", "actor": "driver", "epoch": 1, "at": stamp(moment),
            "payload_sha256": digest(body), "key_id": settings.AUDIT_KEY_ID,
        }  # fmt: skip
        previous = step_mac(previous, row)
        yield {**row, "at": connection.ops.adapt_datetimefield_value(moment), "mac": previous, "body": body}


def _store(rows: list[tuple[Any, ...]], heads: list[Run]) -> None:
    if not rows:
        return
    names = ", ".join(connection.ops.quote_name(name) for name in COLUMNS)
    marks = ", ".join(["%s"] * len(COLUMNS))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {Step._meta.db_table} ({names}) VALUES ({marks})", rows)  # noqa: S608
        Run.objects.bulk_update(heads, ["n_steps", "head_mac"], batch_size=500)

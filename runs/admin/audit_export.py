"""The audit as a file: JSON lines with the chained bytes, or CSV that a spreadsheet cannot be made to run."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Sequence

from asgiref.sync import sync_to_async
from django.db.models import QuerySet

from runs.admin.audit_words import audit_row
from runs.audit import stamp
from runs.display import reveal
from runs.models import Step

CHUNK = 500  # rows in memory at a time
CSV_COLUMNS = (
    "at", "run", "seq", "actor", "for", "verb", "object", "result", "payload", "payload_sha256", "mac", "key_id",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Render = Callable[[Sequence[Step]], str]


async def written(steps: QuerySet[Step], head: str, render: Render) -> AsyncIterator[str]:
    """`head`, then all steps, newest first. Each chunk is a query of its own: no cursor stays open."""
    yield head
    last: int | None = None
    while chunk := await sync_to_async(_chunk)(steps, last):
        yield await sync_to_async(render)(chunk)
        last = chunk[-1].pk


def _chunk(steps: QuerySet[Step], last: int | None) -> list[Step]:
    return list((steps if last is None else steps.filter(pk__lt=last))[:CHUNK])


def json_lines(steps: Sequence[Step]) -> str:
    """One object a line, ASCII only: no character of a payload can break a line."""
    return "".join(json.dumps(_json_row(step), ensure_ascii=True) + "\n" for step in steps)


def _json_row(step: Step) -> dict[str, object]:
    return {
        "run": step.run_id, "seq": step.seq, "at": stamp(step.at), "recorded_at": stamp(step.recorded_at),
        "kind": step.kind, "name": step.name, "before": step.before, "after": step.after, "actor": step.actor,
        "epoch": step.epoch, "payload": step.payload if step.body is not None else None,
        "payload_sha256": step.payload_sha256, "key_id": step.key_id, "mac": step.mac,
    }  # fmt: skip


def csv_head() -> str:
    return _csv([CSV_COLUMNS])


def csv_lines(steps: Sequence[Step]) -> str:
    return _csv([_csv_row(step) for step in steps])


def _csv_row(step: Step) -> list[str]:
    row = audit_row(step)
    cells = [
        stamp(step.at), str(step.run_id), str(step.seq), row.actor, row.on_behalf_of, row.verb, row.object, row.result,
        step.body or "", step.payload_sha256, step.mac, step.key_id,
    ]  # fmt: skip
    return [cell(text) for text in cells]


def cell(text: str) -> str:
    """A cell on one line, hidden characters spelled out, that a spreadsheet takes for text and not for a formula."""
    guarded = f"'{text}" if text.startswith(_FORMULA) else text
    return reveal(guarded).replace("\n", " ⏎ ")


def _csv(rows: Sequence[Sequence[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue()

"""The audit as a file: JSON lines with the chained bytes, or CSV that a spreadsheet cannot be made to run."""

from __future__ import annotations

import csv
import heapq
import io
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from asgiref.sync import sync_to_async
from django.db.models import QuerySet

from runs.audit.chain import stamp
from runs.audit.wording import audit_row
from runs.models import AuditEvent, Step
from runs.presentation.display import reveal

CHUNK = 500  # rows in memory at a time
CSV_COLUMNS = (
    "at", "run", "seq", "actor", "for", "verb", "object", "result", "payload", "payload_sha256", "mac", "key_id",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Row = Step | AuditEvent
Rows = QuerySet[Step] | QuerySet[AuditEvent]
Render = Callable[[Sequence[Row]], str]


@dataclass(frozen=True, slots=True)
class Selection:
    """What is exported: everything, or what happened since a time, or one run's steps."""

    since: datetime | None = None
    run: int | None = None

    def words(self) -> str:
        what = f"run {self.run}" if self.run else "everything"
        return f"{what} since {stamp(self.since)}" if self.since else what


def export_lines(selection: Selection) -> Iterator[str]:
    """The chosen rows of all chains as JSON lines, the oldest first. Memory stays flat."""
    steps, events = Step.objects.order_by("id"), AuditEvent.objects.order_by("seq")
    if selection.run:
        steps, events = steps.filter(run_id=selection.run), events.none()
    if selection.since:
        steps, events = steps.filter(at__gte=selection.since), events.filter(at__gte=selection.since)
    chains: tuple[Iterator[Row], Iterator[Row]] = (steps.iterator(chunk_size=CHUNK), events.iterator(chunk_size=CHUNK))
    return map(json_line, heapq.merge(*chains, key=attrgetter("at")))


async def written(sources: Sequence[Rows], head: str, render: Render) -> AsyncIterator[str]:
    """`head`, then all rows of each source, newest first. Each chunk is a query of its own: no cursor stays open."""
    yield head
    for rows in sources:
        last: int | None = None
        while chunk := await sync_to_async(_chunk)(rows, last):
            yield await sync_to_async(render)(chunk)
            last = chunk[-1].pk


def _chunk(rows: Rows, last: int | None) -> Sequence[Row]:
    return list((rows if last is None else rows.filter(pk__lt=last))[:CHUNK])


def json_lines(rows: Sequence[Row]) -> str:
    return "".join(map(json_line, rows))


def json_line(row: Row) -> str:
    """One object a line, ASCII only: no character of a payload can break a line."""
    return json.dumps(_json_step(row) if isinstance(row, Step) else _json_event(row), ensure_ascii=True) + "\n"


def _json_step(step: Step) -> dict[str, object]:
    return {
        "run": step.run_id, "seq": step.seq, "at": stamp(step.at), "recorded_at": stamp(step.recorded_at),
        "kind": step.kind, "name": step.name, "before": step.before, "after": step.after, "actor": step.actor,
        "epoch": step.epoch, "payload": step.payload if step.body is not None else None,
        "payload_sha256": step.payload_sha256, "key_id": step.key_id, "mac": step.mac,
    }  # fmt: skip


def _json_event(event: AuditEvent) -> dict[str, object]:
    return {
        "run": None, "seq": event.seq, "at": stamp(event.at), "recorded_at": stamp(event.recorded_at),
        "kind": "event", "name": event.verb, "object": event.object, "actor": event.actor, "payload": event.payload,
        "payload_sha256": event.payload_sha256, "key_id": event.key_id, "mac": event.mac,
    }  # fmt: skip


def csv_head() -> str:
    return _csv([CSV_COLUMNS])


def csv_lines(rows: Sequence[Row]) -> str:
    return _csv([_csv_row(row) for row in rows])


def _csv_row(kept: Row) -> list[str]:
    row = audit_row(kept)
    run = str(kept.run_id) if isinstance(kept, Step) else ""
    cells = [
        stamp(kept.at), run, str(kept.seq), row.actor, row.on_behalf_of, row.verb, row.object, row.result,
        kept.body or "", kept.payload_sha256, kept.mac, kept.key_id,
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

"""What of a run is untrusted text, and which arguments of its calls were copied from it. Reads the record only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runs.models import Evidence, Run
from runs.policy.taint import BREAK, TaintIndex, strings

MOST_TEXT = 16_000_000  # characters compared for one move; about 5 s
Marks = list[dict[str, Any]]  # as ToolCall.taint keeps them


def taint_of(run: Run, calls: Sequence[Mapping[str, Any]]) -> list[Marks]:
    """For the arguments of each call, which of them hold text from the run's results or its alert, and from where.

    Every result is read once, whatever the number of calls. What is too much to compare counts as copied from.
    """
    index, left = TaintIndex(calls, trusted="" if _is_by_alert(run) else run.goal), MOST_TEXT
    missed: list[str] = []
    for source, size, text in _untrusted(run):
        left -= size
        if left < 0:
            missed.append(source)
        else:
            index.look(source, text())
    marks = [[mark.as_json() for mark in found] for found in index.marks()]
    return [_with_missed(args, found, missed) for args, found in zip(calls, marks, strict=True)] if missed else marks


def _is_by_alert(run: Run) -> bool:
    return run.origin == "alert" or run.started_by.startswith("alert:")


def _with_missed(args: Mapping[str, Any], marks: Marks, missed: list[str]) -> Marks:
    known = {mark["argument"]: mark for mark in marks}
    blank: dict[str, Any] = {"sources": [], "spans": []}
    return [
        {**known.get(name, blank), "argument": name, "sources": [*known.get(name, blank)["sources"], *missed]}
        for name in args
    ]


def _untrusted(run: Run) -> Iterator[tuple[str, int, Any]]:
    """(source, characters, the text when it is wanted): the alert, then the results, one at a time in memory."""
    alert = BREAK.join([*strings(run.alert), run.goal if _is_by_alert(run) else ""])
    yield "alert", len(alert), lambda: alert
    for row in Evidence.objects.filter(run=run).order_by("-number").iterator(chunk_size=4):
        yield row.name, row.size, lambda row=row: BREAK.join(strings(row.data))

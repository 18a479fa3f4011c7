"""Bugs planted on purpose in the process that is swept: a sweep that does not find each of them is blind."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from agent import execute
from runs import reconcile
from runs.models import Run, Step
from runs.services import append
from runs.services import calls as ledger
from runs.states import CallStatus, StepKind


def no_key() -> None:
    """Each sending of a call has a key of its own, so the other side cannot know a repeated one."""
    hosted = execute._hosted
    execute._hosted = lambda run, tool, args, key: hosted(run, tool, args, uuid.uuid4().hex)


def enqueue_after_commit() -> None:
    """A run moves only if its hint arrives: nobody looks for runs whose hint was lost."""
    reconcile.stranded = list


def two_tx() -> None:
    """A result's rows are committed before its Step."""

    def record_results(run: Run, lease: Any, ended: Any, *, of_move: int | None = None) -> None:
        for call, result in ended:
            evidence = ledger._store_evidence(run, call, result) if result.status != CallStatus.ERROR else None
            call.status, call.summary = result.status, result.summary
            call.save(update_fields=["status", "summary"])
            append.append(
                run, StepKind.TOOL_RESULT, call.tool, actor="driver", epoch=lease.epoch,
                payload={
                    "call": call.pk, "tool": call.tool, "status": result.status, "summary": result.summary,
                    "evidence": evidence.name if evidence else "", "sha256": evidence.sha256 if evidence else "",
                    "duration_ms": result.duration_ms, "skipped": result.skipped,
                },
            )  # fmt: skip
        if of_move is not None:
            ledger.tools_returned(run, lease, of_move)

    ledger.record_results = record_results


def no_fence() -> None:
    """A driver that lost its lease does not notice: neither its writes nor its readings look at the epoch."""
    store, refresh = append._store, Run.refresh_from_db

    def unfenced(step: Step, expected: dict[str, Any], values: dict[str, Any]) -> bool:
        return store(step, {name: value for name, value in expected.items() if name != "lease_epoch"}, values)

    def believing(run: Run, *args: Any, **kwargs: Any) -> None:
        believed = run.lease_epoch
        refresh(run, *args, **kwargs)
        run.lease_epoch = believed

    append._store = unfenced
    Run.refresh_from_db = believing


MUTANTS: dict[str, Callable[[], None]] = {
    mutant.__name__: mutant for mutant in (no_key, enqueue_after_commit, two_tx, no_fence)
}

"""The ledger of effects: a call is planned, started, returned or ended, each by its driver in one transaction.

Fenced by the epoch; raises append.Overtaken when the row moved. Only `record_late` writes without a lease.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from runs import clock, faults
from runs.audit.chain import canonical, digest
from runs.models import Approval, Evidence, Run, Step, ToolCall
from runs.redaction import redact, redact_json
from runs.services.append import Overtaken, append, locked
from runs.services.binding import Lapse, lapse_at_start, newest
from runs.services.driven import advance_driven, insisting
from runs.services.leases import Lease
from runs.services.policies import Ruling
from runs.services.requests import void_payload, void_request
from runs.services.tickets import record_tickets
from runs.states import ApprovalState, CallStatus, Effect, RunState, StepKind

EVIDENCE_LIMIT = 1_000_000  # bytes compressed; above that the tool's own caps have failed and the body is dropped


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """One call of a move, with its policy ruling. `problem` says why it cannot run (unknown tool, bad arguments)."""

    request_id: str
    tool: str
    args: Mapping[str, Any]
    risk: str
    ruling: Ruling
    problem: str = ""
    taint: Sequence[Mapping[str, Any]] = ()  # which arguments were copied from where; see runs.services.taint


@dataclass(frozen=True, slots=True)
class CallResult:
    """What a tool returned, as values; the record's side of tools.base.ToolResult."""

    status: str
    summary: str
    data: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    freshness: datetime | None = None
    skipped: int = 0
    duration_ms: int = 0
    returned: Mapping[str, int] = field(default_factory=dict)  # what comes back to the run's caps with it


def planned_call(run: Run, plan_seq: int, index: int, call: PlannedCall) -> ToolCall:
    args, tool = dict(call.args), call.tool[:80]
    text = canonical(args)
    status, summary = CallStatus.PROPOSED, ""
    if call.problem:
        status, summary = CallStatus.ERROR, call.problem
    elif call.ruling.effect == Effect.REFUSE:
        status, summary = CallStatus.REFUSED, f"Refused by policy: {call.ruling.name}."
    return ToolCall(
        run=run, plan_seq=plan_seq, index=index, request_id=call.request_id[:120], tool=tool, args=args,
        args_sha256=digest(text), risk=call.risk, effect=call.ruling.effect, rule=call.ruling.name,
        ruling=call.ruling.as_json(), taint=redact_json(list(call.taint)), status=status, summary=summary[:1_000],
        key=digest(f"{run.pk}\n{plan_seq}\n{index}\n{tool}\n{text}"),
    )  # fmt: skip


@faults.point("tool.intent")
@transaction.atomic
def start_call(run: Run, lease: Lease, *calls: ToolCall) -> None:
    """The intents of calls that start together: committed before any of them leaves.

    A call that needed people consumes its approval here. Conditional on state and epoch. Raises Overtaken when the
    approval is gone (expired, void, used, other arguments).
    """
    for call in calls:
        _write_intent(run, lease, call)


def _write_intent(run: Run, lease: Lease, call: ToolCall) -> None:
    step = append(
        run, StepKind.TOOL_INTENT, call.tool, actor="driver", epoch=lease.epoch,
        payload={"call": call.pk, "tool": call.tool, "args": call.args, "key": call.key},
        driven_ms=run.driven_ms + lease.lap_ms(),
    )  # fmt: skip
    if call.status == CallStatus.APPROVED:
        _consume(call, clock.now())
    call.status, call.started_at = CallStatus.STARTED, step.at
    call.save(update_fields=["status", "started_at"])


def _consume(call: ToolCall, at: datetime) -> None:
    """All that held at the vote holds again now, read in this transaction; then one row is used, once."""
    if lapse := lapse_at_start(call, at):
        raise Overtaken(f"call {call.pk} may not start: {lapse.code}")
    used = Approval.objects.filter(
        call=call, state=ApprovalState.APPROVED, args_sha256=digest(canonical(call.args)), expires_at__gt=at
    ).update(state=ApprovalState.CONSUMED, consumed_at=at)
    if used != 1:
        raise Overtaken(f"call {call.pk} has no approval that may be used")


@faults.point("approval.withdraw")
@transaction.atomic
def withdraw_call(run: Run, lease: Lease, call: ToolCall, lapse: Lapse) -> Step:
    """An approved call whose approval no longer stands is not run: it is asked about once more."""
    if (approval := newest(call)) is None or approval.state != ApprovalState.APPROVED:
        raise Overtaken(f"call {call.pk} has no approval to withdraw")
    void_request(approval, lapse.code, lapse.words)
    call.status = CallStatus.PROPOSED
    call.save(update_fields=["status"])
    return append(run, StepKind.VOTE, "void", actor="driver", epoch=lease.epoch, payload=void_payload(approval, lapse))


@faults.point("tool.result")
@insisting
def record_results(
    run: Run, lease: Lease, ended: Sequence[tuple[ToolCall, CallResult]], *, of_move: int | None = None
) -> None:
    """Results with their Evidence and, for a ticket, its Ticket: all or nothing.

    `of_move` is how many calls the move has, where these are the last of them: it then goes on to EVALUATE with them.
    """
    for call, result in ended:
        _write_result(run, lease, call, result)
    if of_move is not None:
        advance_driven(run, lease, "tools_returned", {"calls": of_move})


def _write_result(run: Run, lease: Lease | None, call: ToolCall, result: CallResult) -> Step:
    evidence = None
    if result.status != CallStatus.ERROR:
        evidence = _store_evidence(run, call, result)
    step = append(
        run, StepKind.TOOL_RESULT, call.tool, actor="driver", epoch=lease.epoch if lease else None,
        payload={
            "call": call.pk, "tool": call.tool, "status": result.status, "summary": redact(result.summary)[:1_000],
            "evidence": evidence.name if evidence else "", "sha256": evidence.sha256 if evidence else "",
            "duration_ms": result.duration_ms, "skipped": result.skipped,
            **({"returned": dict(result.returned)} if result.returned else {}),
        },
        **({"driven_ms": run.driven_ms + lease.lap_ms()} if lease else {}),
        **({"budget": _more(run.budget, result.returned)} if result.returned else {}),
    )  # fmt: skip
    call.status, call.summary, call.finished_at = result.status, redact(result.summary)[:1_000], step.at
    call.save(update_fields=["status", "summary", "finished_at"])
    record_tickets(run, call, result.status, result.data, step.at)
    return step


def _more(budget: Mapping[str, int], returned: Mapping[str, int]) -> dict[str, int]:
    return {name: cap + returned.get(name, 0) for name, cap in budget.items()}


def _store_evidence(run: Run, call: ToolCall, result: CallResult) -> Evidence:
    text = canonical(redact_json(dict(result.data)))
    body = zlib.compress(text.encode(), 6)
    if len(body) > EVIDENCE_LIMIT:
        text = canonical({"cut": f"{len(text):,} bytes were too many to keep; ask for less"})
        body = zlib.compress(text.encode())
    last = Evidence.objects.filter(run=run).aggregate(last=Max("number"))["last"] or 0
    return Evidence.objects.create(
        run=run, number=last + 1, call=call, status=result.status,
        summary=redact(result.summary)[:1_000], query=redact_json(dict(result.query)), figures=dict(result.figures),
        source=result.source, freshness=result.freshness, skipped=result.skipped, body=body, size=len(text),
        sha256=digest(text),
    )  # fmt: skip


def record_late(call: ToolCall, result: CallResult) -> None:
    """A result that came after its run was cancelled: it happened, so it is written down, by whoever knows it."""
    with locked(call.run_id) as run:
        if run.state == RunState.CANCELLED:
            _write_result(run, None, call, result)


@faults.point("tool.end")
@transaction.atomic
def end_call(run: Run, lease: Lease, call: ToolCall, status: CallStatus, words: str) -> Step:
    """A call that did not run ends with a result all the same: void, expired."""
    call.status, call.summary, call.finished_at = status, words[:1_000], timezone.now()
    call.save(update_fields=["status", "summary", "finished_at"])
    Approval.objects.filter(call=call, state__in=[ApprovalState.PENDING, ApprovalState.APPROVED]).update(
        state=ApprovalState.EXPIRED if status == CallStatus.EXPIRED else ApprovalState.VOID
    )
    return append(
        run, StepKind.TOOL_RESULT, call.tool, actor="driver", epoch=lease.epoch,
        payload={"call": call.pk, "tool": call.tool, "status": str(status), "summary": words, "evidence": "",
                 "sha256": "", "duration_ms": 0, "skipped": 0},
    )  # fmt: skip


@faults.point("tools.returned")
def tools_returned(run: Run, lease: Lease, calls: int) -> Step:
    """EXECUTE_TOOL → EVALUATE once every call of the move has ended."""
    return advance_driven(run, lease, "tools_returned", {"calls": calls})

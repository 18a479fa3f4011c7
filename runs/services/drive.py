"""The driver's verbs: what a run does while somebody holds its lease. Each is one transaction, fenced by the epoch.

Every function raises append.Overtaken when the row moved: the driver then re-reads and goes on only with its own epoch.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from runs import faults, toolbox
from runs.audit import canonical, digest
from runs.models import Approval, Evidence, Run, Step, Ticket, ToolCall
from runs.redaction import redact, redact_json
from runs.services import spending
from runs.services.append import Overtaken, advance, append, locked
from runs.services.binding import Lapse, lapse_at_start, newest
from runs.services.leases import Lease
from runs.services.policies import Ruling, rule_on_call
from runs.services.requests import ASKING, open_question, open_request, opened, void_payload, void_request
from runs.services.runs import void_open_requests
from runs.states import ApprovalState, CallStatus, Effect, RunState, StepKind

EVIDENCE_LIMIT = 1_000_000  # bytes compressed; above that the tool's own caps have failed and the body is dropped


P = ParamSpec("P")
T = TypeVar("T")
TRIES = 20  # notes and votes that may slip in between before something is wrong


Verb = Callable[Concatenate[Run, Lease, P], T]


def _insisting(verb: Verb[P, T]) -> Verb[P, T]:
    """For what has already happened: if somebody else took the next seq, re-read and write it after theirs."""

    @wraps(verb)
    def insist(run: Run, lease: Lease, /, *args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(TRIES):
            try:
                with transaction.atomic():
                    return verb(run, lease, *args, **kwargs)
            except Overtaken:
                run.refresh_from_db()
                if run.lease_epoch != lease.epoch:
                    raise
        raise Overtaken(f"run {run.pk} is written to faster than its driver can follow")

    return insist


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


@dataclass(frozen=True, slots=True)
class Spent:
    """What a model call cost; `micro_usd` None where the price is not known, `is_exact` False for an estimate."""

    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    micro_usd: int | None = 0
    is_exact: bool = True

    @property
    def is_known(self) -> bool:
        return self.micro_usd is not None and self.is_exact


NOTHING, UNKNOWN = Spent(), Spent(micro_usd=None)


@faults.point("run.begin")
def begin(run: Run, lease: Lease, sources: Sequence[Mapping[str, Any]], alert: Mapping[str, Any]) -> Step:
    """QUEUED → PLAN, with what the run can read and the alert that a folder holds."""
    changes: dict[str, Any] = {}
    if alert and not run.alert:
        changes = {"alert": redact_json(dict(alert)), "focus_at": run.focus_at or _fired_at(alert)}
    return _advance(run, lease, "begin", {"sources": list(sources)}, begun_at=timezone.now(), cycle=1, **changes)


def _fired_at(alert: Mapping[str, Any]) -> datetime | None:
    try:
        return parse_datetime(str(alert.get("fired_at", "")))
    except ValueError:
        return None


@faults.point("money.reserve")
@transaction.atomic
def reserve(run: Run, lease: Lease, micro_usd: int) -> bool:
    """Set aside what the next model call may cost; False when the day's cap does not allow it.

    A reservation that a dead driver left behind is settled first as if all of it had been spent: nobody can know.
    """
    if run.reserved_micro_usd:
        _settle(run, lease, spent=run.reserved_micro_usd)
    if micro_usd == 0:
        return True
    if not spending.reserve(micro_usd):
        return False
    _account(run, lease, reserved_micro_usd=micro_usd)
    return True


def _settle(run: Run, lease: Lease, spent: int) -> None:
    spending.settle(run.reserved_micro_usd, spent)
    _account(run, lease, reserved_micro_usd=0, cost_micro_usd=run.cost_micro_usd + spent)


def _account(run: Run, lease: Lease, **amounts: int) -> None:
    if not Run.objects.filter(pk=run.pk, lease_epoch=lease.epoch).update(**amounts):
        raise Overtaken(f"run {run.pk} is driven by somebody else, who accounts for it")
    for name, amount in amounts.items():
        setattr(run, name, amount)


@faults.point("model.record")
@_insisting
def record_model_call(run: Run, lease: Lease, payload: Mapping[str, Any], spent: Spent) -> Step:
    """A planner's answer, committed before anything acts on it. Ends a retry and settles the reservation.

    A person's hold that came while the model thought stays.
    """
    _pay(run, lease, spent)
    return append(
        run, StepKind.MODEL_CALL, run.planner, actor="driver", payload=redact_json(dict(payload)), epoch=lease.epoch,
        n_model_calls=run.n_model_calls + 1, driven_ms=run.driven_ms + lease.lap_ms(), attempt=0, **_tokens(run, spent),
        **({} if run.held_by else {"hold_reason": "", "hold_until": None}),
    )  # fmt: skip


def _pay(run: Run, lease: Lease, spent: Spent) -> None:
    """Settle what was set aside; a call whose price is not known costs all of it."""
    micro_usd = run.reserved_micro_usd if spent.micro_usd is None else spent.micro_usd
    if run.reserved_micro_usd or micro_usd:
        _settle(run, lease, micro_usd)


def _tokens(run: Run, spent: Spent) -> dict[str, Any]:
    return {
        "tokens_in": run.tokens_in + spent.tokens_in, "tokens_out": run.tokens_out + spent.tokens_out,
        "tokens_cached": run.tokens_cached + spent.tokens_cached, "cost_known": run.cost_known and spent.is_known,
    }  # fmt: skip


def _paid(spent: Spent) -> dict[str, Any]:
    """What a call that gave no answer cost all the same, for its Step."""
    if spent == NOTHING:
        return {}
    return {"tokens_in": spent.tokens_in, "tokens_out": spent.tokens_out, "cost_micro_usd": spent.micro_usd}


@faults.point("plan.accept")
@_insisting
def choose_tools(
    run: Run, lease: Lease, calls: Sequence[PlannedCall], *, rationale: str, answer: str, hypotheses: list[Any]
) -> Step:
    """PLAN → EXECUTE_TOOL, with one ToolCall a request. Calls that cannot run end at once, with their reason."""
    requests = [
        {"id": call.request_id, "tool": call.tool, "args": dict(call.args), "risk": call.risk,
         "effect": call.ruling.effect, "rule": call.ruling.name}
        for call in calls
    ]  # fmt: skip
    plan_seq = run.n_steps + 1
    step = _advance(
        run, lease, "choose_tools",
        {"rationale": rationale, "answer": answer, "hypotheses": hypotheses, "requests": requests},
        plan_seq=plan_seq, hypotheses=redact_json(hypotheses), answer=redact(answer)[:400] or run.answer,
        n_tool_calls=run.n_tool_calls + len(calls),
    )  # fmt: skip
    ToolCall.objects.bulk_create(_new_call(run, plan_seq, index, call) for index, call in enumerate(calls))
    return step


def _new_call(run: Run, plan_seq: int, index: int, call: PlannedCall) -> ToolCall:
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


@faults.point("plan.conclude")
@_insisting
def conclude(
    run: Run, lease: Lease, *, rationale: str, hypotheses: list[Any], request: Mapping[str, Any], stopped_by: str = ""
) -> Step:
    """PLAN → EVALUATE with the planner's conclusion, not yet checked; or with none, because a limit was reached."""
    if run.reserved_micro_usd:  # left behind by a dead driver, and no further call will settle it
        _settle(run, lease, spent=run.reserved_micro_usd)
    payload = {"rationale": rationale, "hypotheses": hypotheses, "request": dict(request), "stopped_by": stopped_by}
    return _advance(run, lease, "conclude", payload, hypotheses=redact_json(hypotheses))


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
        _consume(call, step.at)
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
@_insisting
def record_results(
    run: Run, lease: Lease, ended: Sequence[tuple[ToolCall, CallResult]], *, of_move: int | None = None
) -> None:
    """Results with their Evidence and, for a ticket, its Ticket: all or nothing.

    `of_move` is how many calls the move has, where these are the last of them: it then goes on to EVALUATE with them.
    """
    for call, result in ended:
        _write_result(run, lease, call, result)
    if of_move is not None:
        _advance(run, lease, "tools_returned", {"calls": of_move})


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
        },
        **({"driven_ms": run.driven_ms + lease.lap_ms()} if lease else {}),
    )  # fmt: skip
    call.status, call.summary, call.finished_at = result.status, redact(result.summary)[:1_000], step.at
    call.save(update_fields=["status", "summary", "finished_at"])
    if call.tool == "create_ticket" and result.status == CallStatus.SUCCESS:
        _write_ticket(run, call, result.data, step.at)
    return step


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


def _write_ticket(run: Run, call: ToolCall, data: Mapping[str, Any], at: datetime) -> None:
    Ticket.objects.get_or_create(
        key=call.key,
        defaults={
            "run": run, "call": call, "created_at": at, "title": data["title"], "body": data["body"],
            "service": data.get("service", ""), "severity": data.get("severity", ""), "tracker": data["tracker"],
            "external_id": data.get("external_id", ""), "url": data.get("url", ""),
        },
    )  # fmt: skip


def _ask(run: Run, call: ToolCall, why: str, operands: Mapping[str, str]) -> Approval:
    if call.status == CallStatus.OUTCOME_UNKNOWN:
        return open_question(run, call)
    ToolCall.objects.filter(pk=call.pk).update(status=CallStatus.WAITING)
    earlier = newest(call)
    return open_request(run, call, _asked_under(call, earlier), why, replaces=earlier, operands=operands)


def _asked_under(call: ToolCall, earlier: Approval | None) -> Ruling:
    """The ruling it was planned under; for a call that is asked about again, the one of now."""
    if earlier is None:
        return Ruling(**call.ruling) if call.ruling else rule_on_call(call)
    ruling = rule_on_call(call)
    return ruling if ruling.effect in ASKING else Ruling(**earlier.rule)


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


@faults.point("approval.ask")
def ask_approval(run: Run, lease: Lease, calls: Sequence[ToolCall], why: str, partial: Mapping[str, Any]) -> Step:
    """EXECUTE_TOOL → NEEDS_APPROVAL: one request a call, asked once; the report so far beside it. Frees the lease."""
    operands = {call.pk: toolbox.operands(call.tool, call.args) for call in calls}  # reads outside: no transaction yet
    with transaction.atomic():
        requests = [_ask(run, call, why, operands[call.pk]) for call in calls]
        return _advance(
            run, lease, "ask_approval", {"approvals": [request.pk for request in requests], **opened(requests)},
            **_reported(partial), lease_until=None, lease_owner="",
        )  # fmt: skip


@faults.point("tools.returned")
def tools_returned(run: Run, lease: Lease, calls: int) -> Step:
    """EXECUTE_TOOL → EVALUATE once every call of the move has ended."""
    return _advance(run, lease, "tools_returned", {"calls": calls})


@faults.point("run.replan")
def replan(
    run: Run, lease: Lease, *, words: str, problems: Sequence[tuple[str, str]] = (), partial: Mapping[str, Any]
) -> Step:
    """EVALUATE → PLAN. `problems` are claims that did not hold, sent back once."""
    return _advance(
        run, lease, "replan", {"words": words, "problems": [list(problem) for problem in problems]},
        cycle=run.cycle + 1, sent_back=run.sent_back or bool(problems), **_reported(partial),
    )  # fmt: skip


@faults.point("run.finish")
@transaction.atomic
def finish(run: Run, lease: Lease, report: Mapping[str, Any]) -> Step:
    """EVALUATE → DONE with the report and its outcome; open requests become void."""
    step = _advance(
        run, lease, "finish",
        {"outcome": report["outcome"], "stopped_by": report.get("stopped_by", ""), **dict(report["checked"])},
        outcome=report["outcome"], stopped_by=report.get("stopped_by", ""), finished_at=timezone.now(),
        lease_until=None, lease_owner="", **_reported(report),
    )  # fmt: skip
    void_open_requests(run)
    return step


@faults.point("run.fail")
@transaction.atomic
def fail(run: Run, lease: Lease, code: str, message: str, spent: Spent = UNKNOWN) -> Step:
    """Any active state → FAILED: our fault, configuration, poison, or unusable model output, paid for all the same.

    Where nobody knows what a call had spent, all that was set aside is.
    """
    known = NOTHING if spent == UNKNOWN else spent
    _pay(run, lease, spent)
    step = _advance(
        run, lease, "fail", {"code": code, "message": redact(message)[:500], **_paid(known)}, failure_code=code,
        failure=redact(message)[:500], finished_at=timezone.now(), lease_until=None, lease_owner="",
        **_tokens(run, known),
    )  # fmt: skip
    void_open_requests(run)
    return step


@faults.point("run.hold")
@transaction.atomic
def hold_for_retry(
    run: Run, lease: Lease, until: datetime, reason: str, attempt: int | None = None, spent: Spent = NOTHING
) -> Step:
    """The model's API had a fault, or is being left alone: the run waits until then, no worker does."""
    _pay(run, lease, spent)
    reason, attempt = redact(reason)[:200], run.attempt if attempt is None else attempt
    return append(
        run, StepKind.HOLD, "retry", actor="driver", epoch=lease.epoch,
        payload={"reason": reason, "until": until.isoformat(), "attempt": attempt, **_paid(spent)},
        hold_reason=reason, hold_until=until, attempt=attempt, lease_until=None, lease_owner="", **_tokens(run, spent),
    )  # fmt: skip


def _reported(report: Mapping[str, Any]) -> dict[str, Any]:
    if not report:
        return {}
    cause = report.get("root_cause") or {}
    clean = redact_json(dict(report))
    return {
        "report": clean,
        "answer": clean["summary"][:400],
        "severity": report.get("severity", ""),
        "service": str(cause.get("entity") or report.get("first_failing") or "")[:200],
    }


def _advance(run: Run, lease: Lease, event: str, payload: Mapping[str, Any] | None = None, **changes: Any) -> Step:
    return advance(
        run, event, actor="driver", payload=redact_json(dict(payload or {})), epoch=lease.epoch,
        driven_ms=run.driven_ms + lease.lap_ms(), **changes,
    )  # fmt: skip

"""The driver's verbs: what a run does while somebody holds its lease. Each is one transaction, fenced by the epoch.

Every function raises append.Overtaken when the row moved: the driver then re-reads and goes on only with its own epoch.
What it does around a model call stands in model_calls.py, the ledger of tool calls in calls.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from runs import faults, toolbox
from runs.models import Approval, Run, Step, ToolCall
from runs.redaction import redact, redact_json
from runs.services.binding import newest
from runs.services.calls import PlannedCall, planned_call
from runs.services.caps import within_caps
from runs.services.driven import advance_driven, insisting
from runs.services.leases import Lease
from runs.services.model_calls import NOTHING, UNKNOWN, Spent, paid_for, pay, settle_reservation, tokens_of
from runs.services.policies import Ruling, rule_on_call
from runs.services.requests import ASKING, open_question, open_request, opened
from runs.services.runs import void_open_requests
from runs.states import CallStatus


@faults.point("run.begin")
def begin(run: Run, lease: Lease, sources: Sequence[Mapping[str, Any]], alert: Mapping[str, Any]) -> Step:
    """QUEUED → PLAN, with what the run can read and the alert that a folder holds."""
    changes: dict[str, Any] = {}
    if alert and not run.alert:
        changes = {"alert": redact_json(dict(alert)), "focus_at": run.focus_at or _fired_at(alert)}
    return advance_driven(run, lease, "begin", {"sources": list(sources)}, begun_at=timezone.now(), cycle=1, **changes)


def _fired_at(alert: Mapping[str, Any]) -> datetime | None:
    try:
        return parse_datetime(str(alert.get("fired_at", "")))
    except ValueError:
        return None


@faults.point("plan.accept")
@insisting
def choose_tools(
    run: Run, lease: Lease, calls: Sequence[PlannedCall], *, rationale: str, answer: str, hypotheses: list[Any]
) -> Step:
    """PLAN → EXECUTE_TOOL, with one ToolCall a request. Calls that cannot run end at once, with their reason."""
    rulings = within_caps(run, [(call.ruling, call.args) for call in calls])
    calls = [replace(call, ruling=ruling) for call, ruling in zip(calls, rulings, strict=True)]
    requests = [
        {"id": call.request_id, "tool": call.tool, "args": dict(call.args), "risk": call.risk,
         "effect": call.ruling.effect, "rule": call.ruling.name}
        for call in calls
    ]  # fmt: skip
    plan_seq = run.n_steps + 1
    step = advance_driven(
        run, lease, "choose_tools",
        {"rationale": rationale, "answer": answer, "hypotheses": hypotheses, "requests": requests},
        plan_seq=plan_seq, hypotheses=redact_json(hypotheses), answer=redact(answer)[:400] or run.answer,
        n_tool_calls=run.n_tool_calls + len(calls),
    )  # fmt: skip
    ToolCall.objects.bulk_create(planned_call(run, plan_seq, index, call) for index, call in enumerate(calls))
    return step


@faults.point("plan.conclude")
@insisting
def conclude(
    run: Run, lease: Lease, *, rationale: str, hypotheses: list[Any], request: Mapping[str, Any], stopped_by: str = ""
) -> Step:
    """PLAN → EVALUATE with the planner's conclusion, not yet checked; or with none, because a limit was reached."""
    if run.reserved_micro_usd:  # left behind by a dead driver, and no further call will settle it
        settle_reservation(run, lease, spent=run.reserved_micro_usd)
    payload = {"rationale": rationale, "hypotheses": hypotheses, "request": dict(request), "stopped_by": stopped_by}
    return advance_driven(run, lease, "conclude", payload, hypotheses=redact_json(hypotheses))


@faults.point("approval.ask")
def ask_approval(run: Run, lease: Lease, calls: Sequence[ToolCall], why: str, partial: Mapping[str, Any]) -> Step:
    """EXECUTE_TOOL → NEEDS_APPROVAL: one request a call, asked once; the report so far beside it. Frees the lease."""
    operands = {call.pk: toolbox.operands(call.tool, call.args) for call in calls}  # reads outside: no transaction yet
    with transaction.atomic():
        requests = [_ask(run, call, why, operands[call.pk]) for call in calls]
        return advance_driven(
            run, lease, "ask_approval", {"approvals": [request.pk for request in requests], **opened(requests)},
            **_reported(partial), lease_until=None, lease_owner="",
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


@faults.point("run.replan")
def replan(
    run: Run, lease: Lease, *, words: str, problems: Sequence[tuple[str, str]] = (), partial: Mapping[str, Any]
) -> Step:
    """EVALUATE → PLAN. `problems` are claims that did not hold, sent back once."""
    return advance_driven(
        run, lease, "replan", {"words": words, "problems": [list(problem) for problem in problems]},
        cycle=run.cycle + 1, sent_back=run.sent_back or bool(problems), **_reported(partial),
    )  # fmt: skip


@faults.point("run.finish")
@transaction.atomic
def finish(run: Run, lease: Lease, report: Mapping[str, Any]) -> Step:
    """EVALUATE → DONE with the report and its outcome; open requests become void."""
    step = advance_driven(
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
    pay(run, lease, spent)
    step = advance_driven(
        run, lease, "fail", {"code": code, "message": redact(message)[:500], **paid_for(known)}, failure_code=code,
        failure=redact(message)[:500], finished_at=timezone.now(), lease_until=None, lease_owner="",
        **tokens_of(run, known),
    )  # fmt: skip
    void_open_requests(run)
    return step


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

"""Requests to people: opened for a call, voided when what they are bound to changed, made anew where that makes sense.

Each function is part of its caller's transaction, under the run's lock. Deciding stands in approvals.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from runs import clock, toolbox
from runs.audit.chain import canonical, digest
from runs.models import Approval, Run, ToolCall
from runs.services.append import append
from runs.services.binding import Lapse, bound_digest, schema_digest
from runs.services.policies import Ruling, rule_on_call, ruling_version
from runs.states import ApprovalKind, ApprovalState, CallStatus, Effect, Role, StepKind

NEVER = timedelta(days=3650)  # a question about the past does not expire
ASKING = (Effect.CONFIRM, Effect.APPROVE)


def open_request(
    run: Run, call: ToolCall, ruling: Ruling, why: str, *, replaces: Approval | None = None,
    editor: User | None = None, operands: Mapping[str, str] | None = None, kind: ApprovalKind = ApprovalKind.CALL,
) -> Approval:  # fmt: skip
    """The Approval for one call, bound to everything that a vote is about.

    The request of an edited call is its editor's, and neither they nor any requester before them may vote on it.
    """
    text, now = canonical(call.args), clock.now()
    if not ruling.version:
        ruling = replace(ruling, version=ruling_version(run.team))
    approval = Approval(
        run=run, call=call, kind=kind, tool=call.tool, risk=call.risk, args_canonical=text, args_sha256=digest(text),
        tool_sha256=schema_digest(call.tool), operands=dict(operands or {}),
        preview=toolbox.preview(call.tool, call.args), why=why, replaces=replaces,
        requester=editor or (replaces.requester if replaces else run.starter),
        requested_by=f"user:{editor.get_username()}" if editor else _asker(run, replaces),
        barred=_barred(run, replaces, editor), rule=ruling.as_json(), required=ruling.votes,
        owner_may=ruling.effect == Effect.CONFIRM, asked_at=now,
        expires_at=now + (NEVER if kind == ApprovalKind.SETTLE else _lifetime(ruling)),
    )  # fmt: skip
    approval.bound_sha256 = bound_digest(approval)
    approval.save(force_insert=True)
    return approval


def _lifetime(ruling: Ruling) -> timedelta:
    return timedelta(seconds=ruling.expiry_s or settings.APPROVAL_TTL_S)


def _asker(run: Run, replaces: Approval | None) -> str:
    return replaces.requested_by if replaces else run.started_by


def _barred(run: Run, replaces: Approval | None, editor: User | None) -> list[int]:
    before = replaces.barred if replaces else []
    return sorted({*before, *(pk for pk in (run.starter_id, editor and editor.pk) if pk)})


def open_question(run: Run, call: ToolCall) -> Approval:
    """A request to say whether a call whose result was lost did happen."""
    ruling = Ruling(Effect.APPROVE, 1, Role.OPERATOR, "only a person can find out whether it happened")
    why = "The process was lost between sending this call and its answer."
    return open_request(run, call, ruling, why, kind=ApprovalKind.SETTLE)


def void_request(approval: Approval, code: str, words: str = "") -> None:
    """It can neither be decided nor used any more. A vote that it had stays beside it."""
    approval.state, approval.void_code, approval.reason = ApprovalState.VOID, code, words[:1_000]
    approval.save(update_fields=["state", "void_code", "reason"])


def close_lapsed(run: Run, approval: Approval, lapse: Lapse, operands: Mapping[str, str]) -> Approval | None:
    """Void a pending request that no longer stands. The one made in its place, or None: its call then ends as void."""
    void_request(approval, lapse.code, lapse.words)
    call, ruling = approval.call, rule_on_call(approval.call)
    renewed = None
    if lapse.ask_again:
        asks = ruling.effect in ASKING
        renewed = open_request(
            run, call, ruling if asks else Ruling(**approval.rule), approval.why, replaces=approval, operands=operands
        )
    else:
        call.status, call.summary, call.finished_at = CallStatus.VOID, lapse.words[:1_000], timezone.now()
        call.save(update_fields=["status", "summary", "finished_at"])
    append(run, StepKind.VOTE, "void", actor="system", payload=void_payload(approval, lapse, renewed))
    return renewed


def void_payload(approval: Approval, lapse: Lapse, renewed: Approval | None = None) -> dict[str, Any]:
    """What the Step of a voided request says, with what the new one is bound to."""
    return {
        "approval": approval.pk, "call": approval.call_id, "code": lapse.code, "reason": lapse.words, "door": "system",
        **opened([renewed] if renewed else []),
    }  # fmt: skip


def opened(requests: list[Approval]) -> dict[str, Any]:
    """The part of a Step's payload that chains what new requests are bound to: {"bound": {id: digest}}."""
    return {"bound": {str(request.pk): request.bound_sha256 for request in requests}}

"""Requests and decisions: the one function that decides an approval, whichever door it came through."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from runs import faults, queue, toolbox
from runs.audit import canonical, digest
from runs.models import Approval, Run, ToolCall, Vote
from runs.permissions import may, possible_voters
from runs.redaction import redact
from runs.services.actors import Actor
from runs.services.append import advance, append, locked
from runs.services.errors import Refused, forbidden, not_found
from runs.services.policies import Ruling
from runs.states import ApprovalKind, ApprovalState, CallStatus, Effect, Role, RunState, StepKind

__all__ = ["decide_approval", "expire_approvals", "open_request", "possible_voters"]

REASON_MIN = 10  # characters: a denial tells the planner and the starter something
NEVER = timedelta(days=3650)  # a question about the past does not expire
WORDS = {
    ApprovalState.DENIED: "Denied by {who}: {reason}",
    ApprovalState.EXPIRED: "Nobody decided in time.",
}


def open_request(run: Run, call: ToolCall, ruling: Ruling, why: str) -> Approval:
    """The Approval for one call, bound to its canonical arguments. Inside the caller's transaction."""
    text, now = canonical(call.args), timezone.now()
    return Approval.objects.create(
        run=run, call=call, tool=call.tool, risk=call.risk, args_canonical=text, args_sha256=digest(text),
        preview=toolbox.preview(call.tool, call.args), why=why, requester=run.starter, requested_by=run.started_by,
        rule=ruling.as_json(), required=ruling.votes, owner_may=ruling.effect == Effect.CONFIRM,
        asked_at=now, expires_at=now + timedelta(seconds=ruling.expiry_s or settings.APPROVAL_TTL_S),
    )  # fmt: skip


def open_question(run: Run, call: ToolCall) -> Approval:
    """A request to say whether a call whose result was lost did happen. Inside the caller's transaction."""
    ruling = Ruling(Effect.APPROVE, 1, Role.OPERATOR, "only a person can find out whether it happened")
    approval = open_request(run, call, ruling, "The process was lost between sending this call and its answer.")
    approval.kind = ApprovalKind.SETTLE
    approval.expires_at = approval.asked_at + NEVER
    approval.save(update_fields=["kind", "expires_at"])
    return approval


@faults.point("approval.decide")
def decide_approval(
    approval_id: int, *, user: User, approve: bool, args_sha256: str, reason: str = "", door: str = "web"
) -> Approval:
    """One person's vote. A denial is a veto; enough approvals decide. The last open request moves the run on.

    Under the run's row lock. Safe to repeat: the same person and decision answers with the same approval.
    Raises Refused: not_found 404, not_allowed 403, reason_too_short 400, already_decided 409, arguments_changed 409,
    expired 410.
    """
    reason = redact(reason.strip())[:1_000]
    approval = Approval.objects.visible_to(user).filter(pk=approval_id).first()
    if approval is None:
        raise not_found("approval")
    expired = False
    with locked(approval.run_id) as run:
        approval = Approval.objects.select_related("run", "call").get(pk=approval_id)
        if _voted_already(approval, user, approve):
            return approval
        if approval.state == ApprovalState.PENDING and approval.is_expired(timezone.now()):
            _expire(run, approval)
            expired = True
        else:
            _check(approval, user, approve, args_sha256, reason)
            _vote(run, approval, user, approve, reason, door)
    if expired:
        raise Refused("expired", "Nobody decided in time; this request has expired.", 410)
    return approval


def _voted_already(approval: Approval, user: User, approve: bool) -> bool:
    vote = Vote.objects.filter(approval=approval, user=user).first()
    return vote is not None and vote.approve == approve


def _check(approval: Approval, user: User, approve: bool, args_sha256: str, reason: str) -> None:
    if approval.state != ApprovalState.PENDING:
        who = f" by {approval.decided_by.removeprefix('user:')}" if approval.decided_by else ""
        words = f"This request is no longer open: {ApprovalState(approval.state).label.lower()}{who}."
        raise Refused("already_decided", words)
    if not (verdict := may(user, "vote", approval)):
        raise forbidden(verdict.why)
    if Vote.objects.filter(approval=approval, user=user).exists():
        raise Refused("already_voted", "You have voted on this request; a vote is not changed.")
    if args_sha256 != approval.args_sha256 or digest(canonical(approval.call.args)) != approval.args_sha256:
        raise Refused("arguments_changed", "The arguments changed since you read them; see the new request.")
    if not approve and approval.kind == ApprovalKind.CALL and len(reason) < REASON_MIN:
        raise Refused("reason_too_short", f"Say why in at least {REASON_MIN} characters; the run is told.", 400)


def _vote(run: Run, approval: Approval, user: User, approve: bool, reason: str, door: str) -> None:
    actor, now = Actor.person(user), timezone.now()
    Vote.objects.create(approval=approval, user=user, approve=approve, reason=reason, door=door, at=now)
    append(
        run, StepKind.VOTE, "approve" if approve else "deny", actor=actor.name,
        payload={"approval": approval.pk, "call": approval.call_id, "kind": approval.kind, "reason": reason,
                 "door": door, "args_sha256": approval.args_sha256},
    )  # fmt: skip
    if approve and _approvals(approval) < approval.required:
        return
    state = ApprovalState.APPROVED if approve else ApprovalState.DENIED
    _decide(run, approval, state, actor.name, reason)


def _approvals(approval: Approval) -> int:
    return Vote.objects.filter(approval=approval, approve=True).values("user").distinct().count()


def _decide(run: Run, approval: Approval, state: ApprovalState, who: str, reason: str) -> None:
    approval.state, approval.decided_at = state, timezone.now()
    approval.decided_by, approval.reason = who, reason
    approval.save(update_fields=["state", "decided_at", "decided_by", "reason"])
    call = approval.call
    if approval.kind == ApprovalKind.SETTLE:
        happened = state == ApprovalState.APPROVED
        call.status = CallStatus.SUCCESS if happened else CallStatus.ERROR
        call.summary = f"{who.removeprefix('user:')} says it {'happened' if happened else 'did not happen'}. {reason}"[
            :1_000
        ]
        call.finished_at = approval.decided_at
    elif state == ApprovalState.APPROVED:
        call.status = CallStatus.APPROVED
    else:
        call.status = CallStatus.DENIED if state == ApprovalState.DENIED else CallStatus.EXPIRED
        call.summary = WORDS[state].format(who=who.removeprefix("user:"), reason=reason)[:1_000]
        call.finished_at = approval.decided_at
    call.save(update_fields=["status", "summary", "finished_at"])
    _move_on(run, who)


def _move_on(run: Run, who: str) -> None:
    """Leave NEEDS_APPROVAL once no request is open: run what was approved, or evaluate without it."""
    if run.state != RunState.NEEDS_APPROVAL:
        return
    asked = Approval.objects.filter(run=run, call__plan_seq=run.plan_seq)
    if asked.filter(state=ApprovalState.PENDING).exists():
        return
    ids = list(asked.values_list("pk", flat=True))
    # After a question about the past the other calls of the move may still be waiting to run.
    goes_on = asked.filter(Q(state=ApprovalState.APPROVED) | Q(kind=ApprovalKind.SETTLE)).exists()
    event = "resume" if goes_on else "none_approved"
    advance(run, event, actor=who, payload={"approvals": ids})
    transaction.on_commit(lambda: queue.enqueue_run(run.pk))


def _expire(run: Run, approval: Approval) -> None:
    append(
        run, StepKind.VOTE, "expire", actor="system",
        payload={"approval": approval.pk, "call": approval.call_id, "reason": "", "door": "clock"},
    )  # fmt: skip
    _decide(run, approval, ApprovalState.EXPIRED, "system", "")


def expire_approvals() -> int:
    """Close the requests whose time is over, and let their runs go on. Returns how many. Safe to repeat."""
    now = timezone.now()
    overdue = Approval.objects.filter(state=ApprovalState.PENDING, expires_at__lte=now).values_list("pk", flat=True)
    return sum(expire_request(approval_id, unless_after=now) for approval_id in list(overdue[:200]))


def expire_request(approval_id: int, unless_after: datetime | None = None) -> bool:
    """Close one open request as nobody's decision; False when it was decided or prolonged meanwhile."""
    run_id = Approval.objects.values_list("run", flat=True).get(pk=approval_id)
    with locked(run_id) as run:
        approval = Approval.objects.select_related("call").get(pk=approval_id)
        if approval.state != ApprovalState.PENDING or (unless_after and approval.expires_at > unless_after):
            return False
        _expire(run, approval)
    return True

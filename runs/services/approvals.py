"""Requests and decisions: the one function that decides an approval, whichever door it came through."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from runs import clock, faults, queue
from runs.models import Approval, Run, Vote
from runs.permissions import counting_votes, may, possible_voters
from runs.redaction import redact
from runs.services.actors import Actor
from runs.services.append import advance, append, locked
from runs.services.binding import lapse_of, operands_now
from runs.services.errors import NOT_ALLOWED, Refused, forbidden, not_found
from runs.services.events import record_event
from runs.services.policies import ruling_version
from runs.services.requests import close_lapsed, open_question, open_request
from runs.states import ApprovalKind, ApprovalState, CallStatus, RunState, StepKind

__all__ = ["decide_approval", "expire_approvals", "open_question", "open_request", "possible_voters"]

REASON_MIN = 10  # characters: a denial tells the planner and the starter something
FRESH = timedelta(minutes=5)  # how long a password that was given stands for a destructive call
WORDS = {
    ApprovalState.DENIED: "Denied by {who}: {reason}",
    ApprovalState.EXPIRED: "Nobody decided in time.",
}


@faults.point("approval.decide")
def decide_approval(
    approval_id: int,
    *,
    user: User,
    approve: bool,
    args_sha256: str,
    reason: str = "",
    door: str = "web",
    signed_in_at: datetime | None = None,
) -> Approval:
    """One person's vote. A denial is a veto; enough approvals decide. The last open request moves the run on.

    Under the run's row lock. Safe to repeat: the same person and decision answers with the same approval. A request
    that no longer stands is voided, and made anew where that makes sense, before the refusal is raised.
    `signed_in_at` is when the person last gave their password: approving a destructive call needs it to be fresh.
    Raises Refused: not_found 404, not_allowed 403, sign_in_again 403, reason_too_short 400, already_decided 409,
    arguments_changed, request_changed, tool_changed, policy_changed, operands_changed 409, expired 410.
    """
    reason = redact(reason.strip())[:1_000]
    approval = Approval.objects.visible_to(user).select_related("call").filter(pk=approval_id).first()
    if approval is None:
        raise not_found("approval")
    operands = operands_now(approval)  # reads outside, so before the lock
    try:
        return _decided(approval, user, approve, args_sha256, reason, door, signed_in_at, operands)
    except Refused as refusal:
        if refusal.code == NOT_ALLOWED:
            note_refusal(approval, user, str(refusal), door)
        raise


def note_refusal(approval: Approval, user: User, why: str, door: str) -> None:
    """That somebody tried to vote where they may not: on the installation's chain, for nothing of the run changed."""
    record_event("vote_refused", actor=Actor.person(user), object=f"approval {approval.pk}", door=door, why=why)


def _decided(
    approval: Approval, user: User, approve: bool, args_sha256: str, reason: str, door: str,
    signed_in_at: datetime | None, operands: Mapping[str, str],
) -> Approval:  # fmt: skip
    with locked(approval.run_id) as run:
        approval = open_row(approval.pk)
        voter = still_there(user)
        if _voted_already(approval, voter, approve):
            return approval
        refusal = _closed(run, approval, voter, operands)
        if refusal is None:
            _check(approval, voter, approve, args_sha256, reason, signed_in_at)
            _vote(run, approval, voter, approve, reason, door)
    if refusal:
        raise refusal
    return approval


def open_row(approval_id: int) -> Approval:
    """The request with all that deciding reads, as it is under the lock."""
    rows = Approval.objects.select_related("run__team", "run__starter", "call__run__team")
    return rows.get(pk=approval_id)


def still_there(user: User) -> User:
    """The person as they are now, not as they were when their request came in. Raises Refused."""
    found = User.objects.filter(pk=user.pk, is_active=True).first()
    if found is None:
        raise forbidden("This account is no longer active.")
    return found


def _closed(run: Run, approval: Approval, voter: User, operands: Mapping[str, str]) -> Refused | None:
    """Close a pending request whose time is over or that no longer stands; the refusal to raise once that is kept."""
    if approval.state != ApprovalState.PENDING:
        return None
    if approval.is_expired(clock.now()):
        _expire(run, approval)
        return Refused("expired", "Nobody decided in time; this request has expired.", 410)
    if not may(voter, "vote", approval) or (lapse := lapse_of(approval, operands)) is None:
        return None
    if approval.is_question:
        return Refused(lapse.code, lapse.words)  # it still has to be answered, by whoever mends the row
    renewed = close_lapsed(run, approval, lapse, operands)
    if renewed is None:
        _move_on(run, "system")
        return Refused(lapse.code, lapse.words)
    return Refused(lapse.code, f"{lapse.words} See the new request, {renewed.pk}.")


def _voted_already(approval: Approval, user: User, approve: bool) -> bool:
    vote = Vote.objects.filter(approval=approval, user=user).first()
    return vote is not None and vote.approve == approve


def _check(
    approval: Approval, user: User, approve: bool, args_sha256: str, reason: str, signed_in_at: datetime | None
) -> None:
    if approval.state != ApprovalState.PENDING:
        who = f" by {approval.decided_by.removeprefix('user:')}" if approval.decided_by else ""
        words = f"This request is no longer open: {ApprovalState(approval.state).label.lower()}{who}."
        raise Refused("already_decided", words)
    if not (verdict := may(user, "vote", approval)):
        raise forbidden(verdict.why)
    if Vote.objects.filter(approval=approval, user=user).exists():
        raise Refused("already_voted", "You have voted on this request; a vote is not changed.")
    if args_sha256 != approval.args_sha256:
        raise Refused("arguments_changed", "These are not the arguments of this request; read it again.")
    if not approve and approval.kind == ApprovalKind.CALL and len(reason) < REASON_MIN:
        raise Refused("reason_too_short", f"Say why in at least {REASON_MIN} characters; the run is told.", 400)
    if approve and needs_password(approval) and not is_fresh(signed_in_at):
        raise Refused("sign_in_again", "Give your password again on the page of this request to approve it.", 403)


def needs_password(approval: Approval) -> bool:
    """Whether approving it takes a password that was given just now, not only a session or a token."""
    return approval.risk == "destructive" and not approval.is_question


def is_fresh(signed_in_at: datetime | None) -> bool:
    return signed_in_at is not None and timedelta(0) <= timezone.now() - signed_in_at <= FRESH


def _vote(run: Run, approval: Approval, user: User, approve: bool, reason: str, door: str) -> None:
    actor, now = Actor.person(user), clock.now()
    Vote.objects.create(approval=approval, user=user, approve=approve, reason=reason, door=door, at=now)
    append(
        run, StepKind.VOTE, "approve" if approve else "deny", actor=actor.name,
        payload={"approval": approval.pk, "call": approval.call_id, "kind": approval.kind, "reason": reason,
                 "door": door, "args_sha256": approval.args_sha256},
    )  # fmt: skip
    if approve and len(counting_votes(approval)) < approval.required:
        return
    state = ApprovalState.APPROVED if approve else ApprovalState.DENIED
    _decide(run, approval, state, actor.name, reason)


def _decide(run: Run, approval: Approval, state: ApprovalState, who: str, reason: str) -> None:
    approval.state, approval.decided_at = state, clock.now()
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
    now = clock.now()
    overdue = Approval.objects.filter(state=ApprovalState.PENDING, expires_at__lte=now).values_list("pk", flat=True)
    return sum(expire_request(approval_id, unless_after=now) for approval_id in list(overdue[:200]))


@faults.point("approval.expire")
def expire_request(approval_id: int, unless_after: datetime | None = None) -> bool:
    """Close one open request as nobody's decision; False when it was decided or prolonged meanwhile."""
    run_id = Approval.objects.values_list("run", flat=True).get(pk=approval_id)
    with locked(run_id) as run:
        approval = Approval.objects.select_related("call").get(pk=approval_id)
        if approval.state != ApprovalState.PENDING or (unless_after and approval.expires_at > unless_after):
            return False
        _expire(run, approval)
    return True


def renew_lapsed() -> int:
    """Close pending requests that no longer stand: rules, tools or arguments changed. How many. Safe to repeat."""
    waiting = Approval.objects.pending().filter(kind=ApprovalKind.CALL, expires_at__gt=clock.now())
    versions: dict[int, str] = {}
    found = 0
    for approval in waiting.select_related("run__team", "call__run__team").order_by("id")[:1_000]:
        team = approval.run.team
        if team.pk not in versions:
            versions[team.pk] = ruling_version(team)
        operands = operands_now(approval)
        if lapse_of(approval, operands, versions[team.pk]):
            found += _renew(approval.pk, operands)
    return found


def _renew(approval_id: int, operands: Mapping[str, str]) -> bool:
    run_id = Approval.objects.values_list("run", flat=True).get(pk=approval_id)
    with locked(run_id) as run:
        approval = open_row(approval_id)
        lapse = lapse_of(approval, operands) if approval.state == ApprovalState.PENDING else None
        if lapse and close_lapsed(run, approval, lapse, operands) is None:
            _move_on(run, "system")
    return lapse is not None

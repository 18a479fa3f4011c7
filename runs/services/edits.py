"""A person changes the arguments of a request: the old request is void, a new one waits, and others vote on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Max

from runs import clock, faults, toolbox
from runs.audit.chain import canonical, digest
from runs.models import Approval, Run, ToolCall
from runs.permissions import may_edit
from runs.redaction import redact_json
from runs.services.actors import Actor
from runs.services.append import append, locked
from runs.services.approvals import open_row, still_there
from runs.services.binding import lapse_of
from runs.services.errors import Refused, forbidden, not_found
from runs.services.policies import Ruling, rule_on_call
from runs.services.requests import ASKING, open_request, opened, void_request
from runs.services.taint import Marks, taint_of
from runs.states import CallStatus, Effect, StepKind


@dataclass(frozen=True, slots=True)
class Change:
    """One argument that an edit changed; None where it was or is missing."""

    name: str
    before: Any
    after: Any


def changes_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """The arguments that differ, by name. Pure."""
    names = sorted({*before, *after})
    return [
        Change(name, before.get(name), after.get(name))
        for name in names
        if canonical([before.get(name)]) != canonical([after.get(name)]) or (name in before) != (name in after)
    ]


@faults.point("approval.edit")
def edit_request(
    approval_id: int, *, user: User, args: Mapping[str, Any], args_sha256: str, door: str = "web"
) -> Approval:
    """Void the request and open one for the changed arguments, whose requester is the editor. Answers with the new one.

    One transaction: the old call ends as edited, a new call of the same move waits, a Step says who changed what. Not
    safe to repeat: the second time the old request is no longer open.
    Raises Refused: not_found 404, not_allowed 403, already_decided 409, arguments_changed 409 and the other codes of a
    request that no longer stands, invalid_arguments 400, nothing_changed 400, refused_by_policy 403, expired 410.
    """
    approval = Approval.objects.visible_to(user).filter(pk=approval_id).first()
    if approval is None:
        raise not_found("approval")
    wanted = _validated(approval.tool, args)
    # Both take a while, so they are done before the lock.
    operands, taint = toolbox.operands(approval.tool, wanted), taint_of(approval.run, [wanted])[0]
    with locked(approval.run_id) as run:
        approval = open_row(approval_id)
        editor = still_there(user)
        changed = _checked(approval, editor, wanted, args_sha256)
        return _replace(run, approval, editor, wanted, changed, operands, taint, door)


def _validated(tool: str, args: Mapping[str, Any]) -> dict[str, Any]:
    try:
        wanted: dict[str, Any] = toolbox.validate(tool, redact_json(dict(args)))
    except toolbox.InvalidArguments as error:
        raise Refused("invalid_arguments", str(error), 400) from None
    return wanted


def _checked(approval: Approval, editor: User, wanted: Mapping[str, Any], args_sha256: str) -> list[Change]:
    if not (verdict := may_edit(editor, approval)):
        if approval.is_open or approval.is_question:
            raise forbidden(verdict.why)
        raise Refused("already_decided", "This request is no longer open.")
    if approval.is_expired(clock.now()):
        raise Refused("expired", "Nobody decided in time; this request has expired.", 410)
    if args_sha256 != approval.args_sha256:
        raise Refused("arguments_changed", "These are not the arguments of this request; read it again.")
    if lapse := lapse_of(approval):
        raise Refused(lapse.code, lapse.words)
    changed = changes_between(approval.call.args, wanted)
    if not changed:
        raise Refused("nothing_changed", "The arguments are the same as before; nothing was changed.", 400)
    return changed


def _replace(
    run: Run, approval: Approval, editor: User, wanted: dict[str, Any], changed: list[Change],
    operands: Mapping[str, str], taint: Marks, door: str,
) -> Approval:  # fmt: skip
    actor, old = Actor.person(editor), approval.call
    names = ", ".join(change.name for change in changed)
    void_request(approval, "edited", f"{editor.get_username()} changed {names}.")
    old.status, old.finished_at = CallStatus.EDITED, clock.now()
    old.summary = f"{editor.get_username()} changed {names}; the changed call took its place."[:1_000]
    old.save(update_fields=["status", "summary", "finished_at"])
    note = f"A person, {editor.get_username()}, changed these arguments before it was decided: {names}."
    call = _successor(run, old, wanted, taint, note)
    new = open_request(
        run, call, _ruling(call, approval), approval.why, replaces=approval, editor=editor, operands=operands
    )
    append(
        run, StepKind.VOTE, "edit", actor=actor.name, n_tool_calls=run.n_tool_calls + 1,
        payload={"approval": approval.pk, "call": old.pk, "new_call": call.pk, "changed": [c.name for c in changed],
                 "args": wanted, "args_sha256": new.args_sha256, "reason": "", "door": door, **opened([new])},
    )  # fmt: skip
    return new


def _successor(run: Run, old: ToolCall, args: dict[str, Any], taint: Marks, note: str) -> ToolCall:
    """The changed call: the same request of the planner, in a place of its own in the move."""
    taken = ToolCall.objects.filter(run=run, plan_seq=old.plan_seq).aggregate(last=Max("index"))["last"]
    index, text = taken + 1, canonical(args)
    return ToolCall.objects.create(
        run=run, plan_seq=old.plan_seq, index=index, request_id=old.request_id, tool=old.tool, args=args,
        args_sha256=digest(text), risk=old.risk, effect=old.effect, rule=old.rule, ruling=old.ruling,
        taint=redact_json(taint), status=CallStatus.WAITING,
        edit_note=note[:300], key=digest(f"{run.pk}\n{old.plan_seq}\n{index}\n{old.tool}\n{text}"),
    )  # fmt: skip


def _ruling(call: ToolCall, approval: Approval) -> Ruling:
    """The policy's word on the changed call; never laxer than asking, for a person asked before may not be left out."""
    ruling = rule_on_call(call)
    if ruling.effect == Effect.REFUSE:
        raise Refused("refused_by_policy", f"The policy refuses this call: {ruling.name}.", 403)
    return ruling if ruling.effect in ASKING else Ruling(**approval.rule)

"""What an approval is bound to, and what has become of that since. Reads only; whoever calls holds the run's lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from runs import toolbox
from runs.audit.chain import canonical, digest
from runs.models import Approval, ToolCall
from runs.permissions import counting_votes
from runs.services.policies import rule_on_call, ruling_version
from runs.states import ApprovalKind, ApprovalState, Effect


@dataclass(frozen=True, slots=True)
class Lapse:
    """Why a request no longer stands. `code` is stable; `ask_again` says whether a new request makes sense."""

    code: str
    words: str
    ask_again: bool = False


EXPIRED = Lapse("expired", "It was approved but did not start in time; ask again if it is still wanted.")
MISSING = Lapse("no_approval", "There is no approval for it.")
ALTERED = Lapse("request_changed", "The request is not the one that was asked: its row was changed. It cannot be used.")
ARGUMENTS = Lapse("arguments_changed", "The arguments changed after this was asked, so the call will not run.")
EARLIER = Lapse("request_changed", "It was asked by an earlier version of OpsPilot.", ask_again=True)
OPERANDS = Lapse("operands_changed", "What the arguments point at has changed since this was asked.", ask_again=True)


def bound_parts(approval: Approval) -> dict[str, Any]:
    """Everything a vote is about. `bound_sha256` is the digest of its canonical spelling, chained with the asking Step.

    When it expires is not part of it: that is compared with the clock, at the decision and at the start.
    """
    call = approval.call
    return {
        "run": approval.run_id, "step": call.plan_seq, "index": call.index, "kind": str(approval.kind),
        "tool": approval.tool, "risk": approval.risk, "schema": approval.tool_sha256, "args": approval.args_canonical,
        "args_sha256": approval.args_sha256, "operands": approval.operands, "preview": approval.preview,
        "why": approval.why, "rule": approval.rule, "required": approval.required, "owner_may": approval.owner_may,
        "requested_by": approval.requested_by, "barred": approval.barred, "replaces": approval.replaces_id,
    }  # fmt: skip


def bound_digest(approval: Approval) -> str:
    return digest(canonical(bound_parts(approval)))


@cache
def schema_digest(tool: str) -> str:
    """Of the tool's schema and risk in this process; "" for a tool that is not there."""
    try:
        described = toolbox.describe(tool)
    except toolbox.InvalidArguments:
        return ""
    return digest(canonical({"schema": described["schema"], "risk": described["risk"]}))


def operands_now(approval: Approval) -> dict[str, str]:
    """Reads outside of us: call it before the transaction and hand the answer to `lapse_of`."""
    return {} if approval.is_question else toolbox.operands(approval.tool, approval.call.args)


def lapse_of(approval: Approval, operands: Mapping[str, str] | None = None, version: str | None = None) -> Lapse | None:
    """What keeps a request from being decided or used, its time and votes apart; None while it stands.

    `operands` as they are now, None where they were looked at already; `version` of the team's policy, if known.
    """
    if digest(canonical(approval.call.args)) != approval.args_sha256 or approval.call.tool != approval.tool:
        return ARGUMENTS
    if not approval.bound_sha256:
        return EARLIER
    if digest(approval.args_canonical) != approval.args_sha256 or bound_digest(approval) != approval.bound_sha256:
        return ALTERED
    if approval.is_question:
        return None  # about the past: neither the tool nor the policy of today matters
    tool = _tool_lapse(approval)
    if tool and not tool.ask_again:
        return tool  # arguments that it no longer takes point at nothing, and nothing new can be asked of them
    if operands is not None and dict(operands) != approval.operands:
        return OPERANDS
    return tool or _policy_lapse(approval, version)


def _tool_lapse(approval: Approval) -> Lapse | None:
    if schema_digest(approval.tool) == approval.tool_sha256:
        return None
    try:
        same = toolbox.validate(approval.tool, approval.call.args) == approval.call.args
    except toolbox.InvalidArguments as error:
        return Lapse("tool_changed", f"The tool changed and no longer takes these arguments: {error}")
    return Lapse("tool_changed", f"{approval.tool} has changed since this was asked.", ask_again=same)


def _policy_lapse(approval: Approval, version: str | None) -> Lapse | None:
    if approval.rule.get("version") == (ruling_version(approval.run.team) if version is None else version):
        return None
    ruling = rule_on_call(approval.call)
    if ruling.as_json() | {"version": ""} == approval.rule | {"version": ""} or ruling.effect == Effect.RUN:
        return None  # other rules changed; or it would not be asked today, and what was asked is the stricter
    if ruling.effect == Effect.REFUSE:
        return Lapse("policy_changed", f"The policy now refuses it: {ruling.name}.")
    return Lapse("policy_changed", f"The policy changed since this was asked: {ruling.name}.", ask_again=True)


def lapse_at_start(call: ToolCall, at: datetime, operands: Mapping[str, str] | None = None) -> Lapse | None:
    """What keeps an approved call from starting at `at`; None where its approval may be consumed."""
    approval = newest(call)
    if approval is None or approval.state not in (ApprovalState.APPROVED, ApprovalState.CONSUMED):
        return MISSING
    if approval.state == ApprovalState.CONSUMED or approval.is_expired(at):
        return EXPIRED
    if lapse := lapse_of(approval, operands):
        return lapse
    if len(counting_votes(approval)) < approval.required:
        return Lapse("votes_lapsed", "Somebody who approved it may no longer do so.", ask_again=True)
    return None


def newest(call: ToolCall) -> Approval | None:
    """The request that speaks for a call: the last that was made."""
    found = (
        Approval.objects.filter(call=call, kind=ApprovalKind.CALL)
        .select_related("run__team", "call__run__team")
        .order_by("-id")
    )
    return found.first()

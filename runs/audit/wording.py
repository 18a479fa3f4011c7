"""One row of a chain in the words of an audit: who, for whom, did what, to what, with which result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runs.audit.chain import EXPIRY, canonical
from runs.models import AuditEvent, Step
from runs.states import ApprovalKind, RunState, StepKind

TRANSITIONS = {
    "create": "created", "begin": "began", "choose_tools": "chose tools in", "conclude": "concluded",
    "ask_approval": "asked for approval in", "resume": "let go on", "none_approved": "let go on without approval",
    "tools_returned": "gathered evidence in", "replan": "planned again in", "finish": "finished", "fail": "failed",
    "cancel": "cancelled",
}  # fmt: skip
VOTES = {"approve": "approved", "deny": "denied", "expire": "let expire", "edit": "changed", "void": "voided"}
ANSWERS = {"approve": "said that it happened, in", "deny": "said that it did not happen, in"}
HOLDS = {"hold": "held", "release": "released", "retry": "put off"}

EVENTS = {
    "log_in": "logged in", "log_out": "logged out", "log_in_failed": "failed to log in as",
    "vote_refused": "may not vote on", "ticket_change": "changed the state of",
    "password_change": "changed the password of", "rule_add": "added", "rule_change": "changed",
    "rule_delete": "deleted", "rule_move": "moved", "rules_replace": "replaced the rules of",
    "member_add": "added", "member_change": "changed", "member_delete": "removed",
    "team_add": "added", "team_change": "changed", "team_delete": "deleted", "user_add": "added",
    "user_change": "changed", "user_delete": "deleted", "token_issue": "issued",
    "token_revoke": "revoked", "halt": "stopped", "go_on": "let go on", "settings_change": "started with other",
    "audit_export": "exported", EXPIRY: "let expire", "setup": "made the first administrator",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One column of what was changed; an empty text where there was, or is, nothing."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class AuditRow:
    """`on_behalf_of` is the person whose run the driver drives; empty where the actor acted for itself."""

    row: Step | AuditEvent
    actor: str
    on_behalf_of: str
    verb: str
    object: str
    result: str
    changes: tuple[Change, ...] = ()

    @property
    def step(self) -> Step | None:
        return self.row if isinstance(self.row, Step) else None


def audit_row(row: Step | AuditEvent) -> AuditRow:
    """Reads the `run` of a Step: select it with the steps."""
    return _step_row(row) if isinstance(row, Step) else _event_row(row)


def _event_row(event: AuditEvent) -> AuditRow:
    payload = event.payload
    before, after = payload.pop("before", None) or {}, payload.pop("after", None) or {}
    changes = tuple(
        Change(name, _told(before.get(name)), _told(after.get(name)))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )
    parts = [f"{change.name} {change.before or '–'} → {change.after or '–'}" for change in changes]
    parts += [
        f"{name} {_told(value)}" for name, value in payload.items() if value != "" and not isinstance(value, dict)
    ]
    verb = EVENTS.get(event.verb, event.verb.replace("_", " "))
    return AuditRow(event, event.actor.removeprefix("user:"), "", verb, event.object, " · ".join(parts), changes)


def _told(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else canonical(value)


def _step_row(step: Step) -> AuditRow:
    payload = step.payload
    verb, thing, result = _words(step, payload)
    actor = step.actor.removeprefix("user:")
    starter = step.run.started_by.removeprefix("user:")
    return AuditRow(step, actor, starter if step.actor in ("driver", "system") else "", verb, thing, result)


def _words(step: Step, payload: dict[str, Any]) -> tuple[str, str, str]:
    run = f"run {step.run_id}"
    match step.kind:
        case StepKind.TRANSITION:
            return TRANSITIONS.get(step.name, step.name.replace("_", " ")), run, _transition_result(step, payload)
        case StepKind.MODEL_CALL:
            return "asked", step.name, _model_result(payload)
        case StepKind.TOOL_INTENT:
            return "started", step.name, f"key {str(payload.get('key', ''))[:12]}"
        case StepKind.TOOL_RESULT:
            return "recorded the result of", step.name, _tool_result(payload)
        case StepKind.VOTE:
            request = f"request {payload.get('approval', '')}"
            words = ANSWERS if payload.get("kind") == ApprovalKind.SETTLE else VOTES
            return words.get(step.name, step.name), request, str(payload.get("reason", ""))
        case StepKind.HOLD:
            return HOLDS.get(step.name, step.name), run, str(payload.get("reason", ""))
        case _:
            return "noted on", run, str(payload.get("text", ""))


def _transition_result(step: Step, payload: dict[str, Any]) -> str:
    moved = RunState(step.after).label if step.after in RunState.values else step.after
    detail = payload.get("outcome") or payload.get("message") or payload.get("reason") or payload.get("goal") or ""
    return f"{moved}: {detail}" if detail else moved


def _model_result(payload: dict[str, Any]) -> str:
    usage = payload.get("usage") or {}
    read, written = usage.get("input_tokens") or 0, usage.get("output_tokens") or 0
    return f"{read:,} tokens in, {written:,} out" if read or written else "no model was asked"


def _tool_result(payload: dict[str, Any]) -> str:
    parts = [str(payload.get("status", "")), str(payload.get("evidence", "")), str(payload.get("summary", ""))]
    return " · ".join(part for part in parts if part)

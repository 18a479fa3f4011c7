"""The states of the record, their sets, words and colours. Nothing here knows a database."""

from __future__ import annotations

from django.db.models import TextChoices


class RunState(TextChoices):
    QUEUED = "QUEUED", "Queued"
    PLAN = "PLAN", "Planning"
    EXECUTE_TOOL = "EXECUTE_TOOL", "Gathering evidence"
    EVALUATE = "EVALUATE", "Checking"
    NEEDS_APPROVAL = "NEEDS_APPROVAL", "Waiting for approval"
    DONE = "DONE", "Done"
    FAILED = "FAILED", "OpsPilot failed"
    CANCELLED = "CANCELLED", "Cancelled"


ACTIVE = frozenset({RunState.QUEUED, RunState.PLAN, RunState.EXECUTE_TOOL, RunState.EVALUATE})  # somebody drives it
WAITING = frozenset({RunState.NEEDS_APPROVAL})
TERMINAL = frozenset({RunState.DONE, RunState.FAILED, RunState.CANCELLED})


class StepKind(TextChoices):
    TRANSITION = "transition", "Transition"
    MODEL_CALL = "model_call", "Model call"
    TOOL_INTENT = "tool_intent", "Tool started"
    TOOL_RESULT = "tool_result", "Tool returned"
    VOTE = "vote", "Vote"
    NOTE = "note", "Note"
    HOLD = "hold", "Hold"


class CallStatus(TextChoices):
    PROPOSED = "proposed", "Proposed"  # in the plan, nothing has happened
    WAITING = "waiting", "Waiting for a decision"
    APPROVED = "approved", "Approved, not started"
    STARTED = "started", "Started"  # the intent is committed
    SUCCESS = "success", "Done"
    NO_DATA = "no_data", "Nothing found"
    TRUNCATED = "truncated", "Done, cut short"
    ERROR = "error", "Error"
    DENIED = "denied", "Denied"
    EXPIRED = "expired", "Nobody decided in time"
    EDITED = "edited", "Replaced by an edited call"
    REFUSED = "refused", "Refused by policy"
    VOID = "void", "No longer valid"
    OUTCOME_UNKNOWN = "outcome_unknown", "Did this happen?"


RETURNED = frozenset(
    {CallStatus.SUCCESS, CallStatus.NO_DATA, CallStatus.TRUNCATED, CallStatus.ERROR, CallStatus.DENIED,
     CallStatus.EXPIRED, CallStatus.EDITED, CallStatus.REFUSED, CallStatus.VOID}
)  # fmt: skip  # the calls that have ended


class ApprovalState(TextChoices):
    PENDING = "PENDING", "Waiting"
    APPROVED = "APPROVED", "Approved"
    DENIED = "DENIED", "Denied"
    EXPIRED = "EXPIRED", "Nobody decided in time"
    VOID = "VOID", "No longer valid"
    CONSUMED = "CONSUMED", "Approved and done"


class ApprovalKind(TextChoices):
    CALL = "call", "Run this call"
    SETTLE = "settle", "Did this happen?"


class Outcome(TextChoices):
    CONFIRMED = "CONFIRMED", "Cause confirmed"
    LIKELY = "LIKELY", "Likely cause"
    INCONCLUSIVE = "INCONCLUSIVE", "No clear cause"
    NO_FAULT = "NO_FAULT", "No fault found"


class Role(TextChoices):
    VIEWER = "viewer", "Viewer"
    OPERATOR = "operator", "Operator"
    APPROVER = "approver", "Approver"
    ADMINISTRATOR = "administrator", "Administrator"


class Scope(TextChoices):
    """What a token may be used for; its user's roles bound it further."""

    READ = "runs:read", "read runs, reports and approvals"
    WRITE = "runs:write", "start, hold and cancel runs"
    DECIDE = "approvals:decide", "vote on approvals and edit them"


class Effect(TextChoices):
    """What a policy rule asks of a call."""

    RUN = "run", "Runs"
    CONFIRM = "confirm", "The owner confirms"
    APPROVE = "approve", "Needs votes"
    REFUSE = "refuse", "Refused"


class NotificationKind(TextChoices):
    """What people are told outside of the pages."""

    ASKED = "asked", "Approval asked"
    HALF = "half", "Half of its time is gone"
    LAST = "last", "Nine tenths of its time are gone"
    DECIDED = "decided", "Decided"
    DONE = "done", "Answer ready"
    FAILED = "failed", "Run failed"


class NotificationState(TextChoices):
    WAITING = "waiting", "Waiting to be sent"
    SENT = "sent", "Sent"
    GIVEN_UP = "given_up", "Given up"
    DROPPED = "dropped", "No longer true or wanted"
    ADDRESSED = "addressed", "Addressed to each person"

"""What a run changed outside, or may have changed, as its ledger of calls says. Pure; nothing is looked up outside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from runs.models import ToolCall
from runs.states import CallStatus

CHANGING = frozenset({"write", "destructive"})
UNDER_WAY = "was under way when the run ended; it may have happened, and nobody has looked"
UNKNOWN = "its answer was lost; it may have happened, and nobody has said"
DONE = frozenset({CallStatus.SUCCESS, CallStatus.TRUNCATED, CallStatus.NO_DATA})
UNSETTLED = {CallStatus.STARTED: UNDER_WAY, CallStatus.OUTCOME_UNKNOWN: UNKNOWN}


@dataclass(frozen=True, slots=True)
class Sent:
    """One call that was sent to change something, and what is known of it."""

    tool: str
    words: str
    at: datetime | None
    has_happened: bool
    is_unsettled: bool


@dataclass(frozen=True, slots=True)
class Effects:
    """All that was sent, in order; `verdict` says in one sentence what stands outside."""

    sent: tuple[Sent, ...]

    @property
    def verdict(self) -> str:
        if any(call.is_unsettled for call in self.sent):
            return "Something outside may have been changed. Look there before you start it again:"
        if any(call.has_happened for call in self.sent):
            return "This was changed outside:"
        return "Nothing outside was changed." if not self.sent else "Nothing outside was changed; this was tried:"


def effects_of(calls: Iterable[ToolCall]) -> Effects:
    """Only calls whose intent was committed can have left; what was asked for and never started did not."""
    return Effects(tuple(_sent(call) for call in calls if call.risk in CHANGING and call.started_at))


def _sent(call: ToolCall) -> Sent:
    status = CallStatus(call.status)
    words = UNSETTLED.get(status) or call.summary or str(status.label)
    return Sent(call.tool, words, call.started_at, status in DONE, status in UNSETTLED)

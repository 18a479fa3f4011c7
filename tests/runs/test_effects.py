"""What a run is said to have changed outside, from its ledger alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runs.models import ToolCall
from runs.presentation.effects import effects_of
from runs.states import CallStatus

AT = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)


def sent(status: CallStatus, risk: str = "write", summary: str = "ticket OPS-1 made") -> ToolCall:
    return ToolCall(tool="create_ticket", risk=risk, status=status, summary=summary, started_at=AT)


def test_nothing_was_sent_so_nothing_was_changed() -> None:
    never = ToolCall(tool="create_ticket", risk="write", status=CallStatus.VOID)
    effects = effects_of([never, sent(CallStatus.SUCCESS, risk="read"), sent(CallStatus.SUCCESS, risk="read_egress")])
    assert (effects.verdict, effects.sent) == ("Nothing outside was changed.", ())


@pytest.mark.parametrize("status", [CallStatus.SUCCESS, CallStatus.TRUNCATED])
def test_what_was_done_is_listed(status: CallStatus) -> None:
    effects = effects_of([sent(status)])
    assert effects.verdict == "This was changed outside:"
    assert [(call.tool, call.words, call.at) for call in effects.sent] == [("create_ticket", "ticket OPS-1 made", AT)]


@pytest.mark.parametrize("status", [CallStatus.STARTED, CallStatus.OUTCOME_UNKNOWN])
def test_one_call_that_is_not_settled_outweighs_all_that_is_known(status: CallStatus) -> None:
    effects = effects_of([sent(CallStatus.SUCCESS), sent(status, risk="destructive"), sent(CallStatus.ERROR)])
    assert effects.verdict.startswith("Something outside may have been changed.")
    assert "may have happened" in effects.sent[1].words


def test_what_only_failed_is_listed_and_changed_nothing() -> None:
    effects = effects_of([sent(CallStatus.ERROR, summary="the tracker refused it")])
    assert effects.verdict == "Nothing outside was changed; this was tried:"
    assert effects.sent[0].words == "the tracker refused it"

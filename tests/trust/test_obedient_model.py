"""A model that obeys every text it reads, in 12 wrappings × 9 channels × 10 goals: nothing comes of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from runs.invariants import check_run
from runs.models import Approval, Run, Team, Ticket, ToolCall
from runs.services.approvals import decide_approval
from runs.states import ApprovalState, CallStatus, RunState
from tests.standins.messages_api import MessagesApi, messages_api
from tests.standins.obedient import WRAPPINGS
from tests.trust.injections import CHANNELS, GOALS, fits, order, write_folder
from tests.trust.thinking import a_run, drive, think_with

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = list(WRAPPINGS)
# Wrappings in one run: sixty orders. Of an alert the model is shown no more than twenty would take.
TOGETHER = {**dict.fromkeys(CHANNELS, 6), "alert": 2}
GROUPS = [
    pytest.param(channel, NAMES[start : start + many], id=f"{channel}: {', '.join(NAMES[start : start + many])}")
    for channel, many in TOGETHER.items()
    for start in range(0, len(NAMES), many)
]
BUDGET = {"steps": 2_000, "cycles": 200, "tool_calls": 500, "model_calls": 200, "tokens": 50_000_000}
ROUNDS = 40  # of denials


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MessagesApi]:
    with messages_api(tmp_path_factory.mktemp("obedient"), plays="obedient") as running:
        yield running


def _deny_all(run: Run, bob: User) -> None:
    for approval in Approval.objects.pending().filter(run=run):
        decide_approval(
            approval.pk, user=bob, approve=False, reason="Nobody asked for this.", args_sha256=approval.args_sha256
        )


def _to_end(run: Run, bob: User) -> Run:
    for _ in range(ROUNDS):
        run = drive(run).run
        if run.state != RunState.NEEDS_APPROVAL:
            return run
        _deny_all(run, bob)
    raise AssertionError(f"{run} asks for ever")


@pytest.mark.parametrize(("channel", "wrappings"), GROUPS)
def test_no_order_takes_effect(
    team: Team, alice: User, bob: User, settings: Any, tmp_path: Path, api: MessagesApi, channel: str,
    wrappings: list[str],
) -> None:  # fmt: skip
    cases = {f"q{NAMES.index(name)}z{goal}q": (name, goal) for name in wrappings for goal in range(len(GOALS))}
    planted = {case: WRAPPINGS[name](order(goal, case), case) for case, (name, goal) in cases.items()}
    folder = write_folder(tmp_path / "incident", channel, list(planted.values()))
    think_with(settings, api.url, CONTEXT_TOKENS=200_000, DAILY_MICRO_USD=10**12)
    began = api.record.stat().st_size
    ended = _to_end(a_run(team, alice, folder, goal="Why does billing time out?", budget=BUDGET), bob)
    assert ended.state == RunState.DONE, (ended.state, ended.failure, ended.hold_reason)

    calls = list(ToolCall.objects.filter(run=ended))
    bodies = _bodies_since(api.record, began)
    offered = {tool["name"] for body in bodies for tool in body["tools"]}
    started = [call for call in calls if call.started_at is not None]
    assert {call.tool for call in started} <= offered
    assert {call.risk for call in started} == {"read"}
    assert {call.status for call in started if call.args.get("source")} <= {CallStatus.ERROR}
    assert Ticket.objects.count() == 0
    assert not Approval.objects.filter(state__in=[ApprovalState.APPROVED, ApprovalState.CONSUMED]).exists()
    assert list(check_run(ended)) == []
    for words in _instructions(bodies):
        assert not [case for case in cases if case in words], "text from outside stands where only ours may"

    obeyed = [case for case in cases if any(case in json.dumps(call.args) for call in calls)]
    sys.stdout.write(
        f"{channel}, {', '.join(wrappings)}: {len(obeyed)} of {len(cases)} orders obeyed; {ended.stopped_by}\n"
    )
    unheard = [cases[case] for case in cases if case not in obeyed and fits(channel, planted[case])]
    assert unheard == [], "every order that can stand there at all reached the model, which obeyed"


def _bodies_since(record: Path, start: int) -> list[dict[str, Any]]:
    with record.open() as file:
        file.seek(start)
        return [json.loads(line)["body"] for line in file]


def _instructions(bodies: list[dict[str, Any]]) -> Iterator[str]:
    """All that a model is told rather than shown: tools, system, and what stands in plain user turns."""
    for body in bodies:
        yield json.dumps([body["tools"], body["system"]], ensure_ascii=False)
        for message in body["messages"]:
            if message["role"] == "user":
                yield from (block["text"] for block in message["content"] if block["type"] == "text")

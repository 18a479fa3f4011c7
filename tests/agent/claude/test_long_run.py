"""Two hundred steps of one investigation: within the context budget, and a late turn asks the database no more."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agent.claude.client import ClaudeClient
from runs.models import Run, Team
from runs.states import RunState
from tests.agent.claude.cases import a_call, a_note, a_turn
from tests.flows.incident import write_incident
from tests.standins.messages_api import messages_api
from tests.trust.thinking import a_run, drive, reports, think_with

pytestmark = pytest.mark.django_db(transaction=True)

TURNS = 36
BUDGET = {"steps": 500, "cycles": 100, "tool_calls": 200, "model_calls": 100, "tokens": 10_000_000}
CONTEXT = 14_000


def _turn(number: int) -> dict[str, Any]:
    """Something new each time, with a hypothesis whose facts hold."""
    fact = {"statement": "It times out.", "kind": "quote", "evidence": "E1", "quote": "timed out after 5000ms"}
    guess = [{"id": f"H{number % 5}", "statement": "The pool is too small", "facts": [fact]}]
    calls = [
        a_call(f"s{number}", limit=20, pattern=f"timed|{number}"),
        a_call(f"c{number}", "list_changes", limit=9 + number),
    ]
    return a_turn(a_note(f"n{number}", hypotheses=guess if number else []), *calls)


def test_a_long_run_stays_within_its_context_and_asks_no_more(
    team: Team, alice: User, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(team, alice, write_incident(tmp_path / "incident"), budget=BUDGET)
    asked_at: list[int] = []
    ask = ClaudeClient.ask

    with CaptureQueriesContext(connection) as queries:
        monkeypatch.setattr(
            ClaudeClient,
            "ask",
            lambda self, *rest: (asked_at.append(len(queries.captured_queries)), ask(self, *rest))[1],
        )
        with messages_api(tmp_path, [*[_turn(number) for number in range(TURNS)], reports()]) as api:
            think_with(settings, api.url, CONTEXT_TOKENS=CONTEXT)
            drive(run)
            sizes = [sum(request["usage"].values()) for request in api.requests]
    ended = Run.objects.get(pk=run.pk)
    assert ended.state == RunState.DONE and ended.n_steps > 200, (ended.state, ended.n_steps, ended.stopped_by)
    assert max(sizes) <= CONTEXT * 1.1, sizes
    a_turn_asks = [later - earlier for earlier, later in pairwise(asked_at)]
    assert a_turn_asks[-2] == a_turn_asks[9], a_turn_asks

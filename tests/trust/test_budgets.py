"""A model that never stops: every cap ends the run exactly there, alone, among many, and over several drivers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from agent.jobs import tool_host
from agent.loop import Outfit, drive
from agent.planner import BudgetLeft, Move, ToolDescription, ToolRequest, Transcript, Usage
from runs.invariants import check_all
from runs.models import Run, Spending, Team
from runs.services.leases import claim_run, release_lease
from runs.states import Outcome, RunState
from tests.flows.driving import start
from tests.flows.incident import write_incident

pytestmark = pytest.mark.django_db(transaction=True)

PRICE = 10_000  # micro-USD of a call
TOKENS = 1_000


class Endless:
    """Always finds something new to ask, `at_once` calls a move, and never concludes."""

    name = "endless"

    def __init__(self, at_once: int = 1, price: int = PRICE, same: bool = False, mistaken: bool = False):
        self.ceiling_micro_usd = price
        self.asked = 0
        self._at_once, self._same, self._mistaken = at_once, same, mistaken

    def next(
        self, transcript: Transcript, tools: Sequence[ToolDescription], budget: BudgetLeft,
        on_text: Callable[[str], None],
    ) -> Move:  # fmt: skip
        self.asked += 1
        tool = "no_such_tool" if self._mistaken else "search_logs"
        words = ["again" if self._same else f".|{self.asked}-{place}" for place in range(self._at_once)]
        requests = tuple(ToolRequest(f"r{n}", tool, {"pattern": word, "limit": 1}) for n, word in enumerate(words))
        usage = Usage(input_tokens=TOKENS, cost_micro_usd=self.ceiling_micro_usd, model="endless")
        return Move(rationale="What else?", requests=requests, usage=usage)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_incident(tmp_path / "incident")


def _drive(run: Run, planner: Endless, stop_after: int = 10**9) -> Run:
    lease = claim_run(run.pk, "test")
    assert lease is not None
    driven = Run.objects.get(pk=run.pk)
    drive(driven, lease, Outfit(planner, tool_host(), should_stop=lambda: planner.asked >= stop_after))
    release_lease(lease)
    return Run.objects.get(pk=run.pk)


CAPS: dict[str, tuple[dict[str, int], Endless, str, Callable[[Run], int], int]] = {
    "cycles": ({"cycles": 4}, Endless(), "cycle limit (4)", lambda run: run.n_model_calls, 4),
    "tool calls": ({"tool_calls": 7}, Endless(3), "tool call limit (7)", lambda run: run.n_tool_calls, 7),
    "model calls": ({"model_calls": 5}, Endless(), "model call limit (5)", lambda run: run.n_model_calls, 5),
    "tokens": ({"tokens": 3 * TOKENS}, Endless(), "token limit (3,000)", lambda run: run.tokens_in, 3 * TOKENS),
    "money": ({"micro_usd": 4 * PRICE}, Endless(), "money limit ($0.04)", lambda run: run.cost_micro_usd, 4 * PRICE),
    "the same call": ({}, Endless(same=True), "the same call was repeated", lambda run: run.n_tool_calls, 3),
    "errors in a row": ({}, Endless(5, mistaken=True), "5 calls in a row failed", lambda run: run.n_tool_calls, 5),
    "nothing found": ({}, Endless(mistaken=True), "4 cycles brought no evidence", lambda run: run.n_tool_calls, 4),
}  # fmt: skip


@pytest.mark.parametrize("cap", CAPS)
@pytest.mark.parametrize("is_interrupted", [False, True], ids=["at one go", "with drivers that stop"])
def test_a_run_stops_exactly_at_its_cap(team: Team, alice: User, folder: Path, cap: str, is_interrupted: bool) -> None:
    budget, planner, stopped_by, spent, most = CAPS[cap]
    planner.asked = 0
    run = start(team, alice, folder, budget=budget)
    for stop_after in (1, 2, 3) if is_interrupted else ():
        run = _drive(run, planner, stop_after) if run.is_active else run
    run = _drive(run, planner) if run.is_active else run
    assert (run.state, run.stopped_by, run.outcome) == (RunState.DONE, stopped_by, Outcome.INCONCLUSIVE)
    assert spent(run) == most
    assert list(check_all()) == []


def test_steps_and_time_at_work_end_a_run_at_its_next_plan(team: Team, alice: User, folder: Path) -> None:
    steps = _drive(start(team, alice, folder, budget={"steps": 20}), Endless())
    assert steps.stopped_by == "step limit (20)"
    assert 20 <= steps.n_steps <= 20 + 7, "the cycle that reached it, and the end"
    late = _drive(start(team, alice, folder, budget={"driven_ms": 1}), Endless())
    assert (late.stopped_by, late.n_model_calls) == ("time limit (1.66667e-05 min)", 0)


@pytest.mark.parametrize(("many", "together"), [(16, 1), (100, 100)])
def test_many_runs_share_the_money_of_a_day_to_the_cent(
    team: Team, alice: User, folder: Path, settings: Any, many: int, together: int
) -> None:
    calls = 2 * many - 2  # fewer than the runs would make alone, so that the day's cap ends them
    settings.DAILY_MICRO_USD = calls * PRICE + PRICE // 2
    runs = [start(team, alice, folder, f"Why {number}?", budget={"model_calls": 4}) for number in range(many)]
    if together == 1:
        for run in runs:
            _drive(run, Endless())
    else:
        _in_threads(runs, together)
    ended = list(Run.objects.filter(pk__in=[run.pk for run in runs]))
    assert {run.state for run in ended} == {RunState.DONE}
    assert max(run.n_model_calls for run in ended) <= 4
    day = Spending.objects.get()
    assert (day.spent_micro_usd, day.reserved_micro_usd) == (calls * PRICE, 0)
    assert sum(run.cost_micro_usd for run in ended) == calls * PRICE
    assert list(check_all()) == []


def _in_threads(runs: list[Run], together: int) -> None:
    waiting, lock = list(runs), threading.Lock()

    def work() -> None:
        while True:
            with lock:
                run = waiting.pop() if waiting else None
            if run is None:
                connection.close()
                return
            _drive(run, Endless())

    threads = [threading.Thread(target=work) for _ in range(together)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

"""Drives one investigation by Claude's stand-in and says what its results would have been in full, and our own time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import Any

from agent.claude.client import ClaudeClient
from agent.toolhost import ToolHost
from bench.answering import serve
from bench.ours.investigation import prepare
from opspilot_site.inprocess import OWNER, Interrupt, drive_to_rest
from opspilot_site.reading import read
from runs.models import Evidence, Run
from runs.services.actors import Actor
from runs.services.runs import create_run
from runs.services.teams import default_team

BUDGET = {"steps": 2_000, "cycles": 500, "tool_calls": 500, "model_calls": 500, "tokens": 50_000_000}


def main() -> None:
    serve(prepare=prepare, investigate=investigate)


class Clock:
    """Our own work, as processor time of this thread: it stands still while the stand-in or a tool is asked."""

    def __init__(self) -> None:
        self.away_s = 0.0
        self.asked_at: list[float] = []

    def now(self) -> float:
        return time.thread_time() - self.away_s

    def stop_during(self, owner: type, name: str, *, is_question: bool = False) -> None:
        inner: Callable[..., Any] = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            if is_question:
                self.asked_at.append(self.now())
            began = time.thread_time()
            try:
                return inner(*args, **kwargs)
            finally:
                self.away_s += time.thread_time() - began

        setattr(owner, name, timed)


clock = Clock()
clock.stop_during(ClaudeClient, "ask", is_question=True)  # serialises the request, sends it, reads the answer
clock.stop_during(ToolHost, "call_many")


def investigate(folder: str, goal: str) -> dict[str, Any]:
    """`results`: each kept result as JSON text, in order. `turn_ms`: our own time from answer to next question."""
    clock.asked_at.clear()
    reading = read([folder], [])
    run = create_run(
        goal=goal, team=default_team(), actor=Actor.system(), origin="cli", sources=reading.sources,
        as_of=reading.as_of, planner="claude", leased_to=OWNER, budget=BUDGET,
    ).run  # fmt: skip
    run = drive_to_rest(run, Interrupt())
    run = Run.objects.get(pk=run.pk)
    rows = Evidence.objects.filter(run=run).order_by("number")
    return {
        "state": run.state,
        "steps": run.n_steps,
        "results": [json.dumps(row.data, ensure_ascii=False) for row in rows],
        "turn_ms": _turns(),
    }


def _turns() -> dict[str, float]:
    """Medians of five turns around the tenth and at the end, without what the stand-in and the tools took."""
    ours = [(later - earlier) * 1_000 for earlier, later in pairwise(clock.asked_at)]
    return {"tenth": median(ours[7:12]), "last": median(ours[-6:-1])} if len(ours) > 20 else {}


if __name__ == "__main__":
    main()

"""The planner of the trust tests: a pure function of the transcript, so that any process may go on with a run.

The goal says what to play: `S2 /path/of/outside.sock 0.5 case-7`, the scenario, where the outside world is, how long
to think, and what the outside world calls this run. Each call is told to it first, so that one whose answer was lost is
counted too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import trust_outside

from agent.planner import (
    BudgetLeft,
    Hypothesis,
    Move,
    Planned,
    Returned,
    ToolDescription,
    ToolRequest,
    Transcript,
    Usage,
)
from tools.generate_report import Claim

LAMPS = Claim(id="C1", statement="The lamps are open.", kind="quote", role="symptom", evidence="E1",
              quote="the lamps are open")  # fmt: skip
PRICE_MICRO_USD = 1_000


class TrustPlanner:
    name = "trust"
    ceiling_micro_usd = 2 * PRICE_MICRO_USD

    def next(
        self,
        transcript: Transcript,
        tools: Sequence[ToolDescription],
        budget: BudgetLeft,
        on_text: Callable[[str], None],
    ) -> Move:
        scenario, outside, think_s, case = transcript.goal.split()
        trust_outside.tell(outside, {"kind": "thought", "case": case})
        time.sleep(float(think_s))
        turn = sum(isinstance(item, Planned) for item in transcript.items)
        requests = SCENARIOS[scenario](turn, _Asked(outside, float(think_s), case, transcript))
        return Move(
            rationale=f"Turn {turn} of {scenario}.",
            requests=tuple(ToolRequest(f"r{turn}.{place}", tool, args) for place, (tool, args) in enumerate(requests)),
            hypotheses=(Hypothesis("H1", "Somebody left the lamps open.", "open", (LAMPS,) if turn else ()),),
            answer="Perhaps the lamps.",
            usage=Usage(input_tokens=100, output_tokens=10, cost_micro_usd=PRICE_MICRO_USD, model="trust"),
        )


class _Asked:
    """What a scenario may build its move from."""

    def __init__(self, outside: str, slow_s: float, case: str, transcript: Transcript):
        self._outside, self._slow_s, self._case, self._transcript = outside, slow_s, case, transcript

    def look(self, what: str) -> tuple[str, dict[str, Any]]:
        return "look", {"what": what, "slow_s": self._slow_s}

    def order(self, item: str, tool: str = "order") -> tuple[str, dict[str, Any]]:
        return tool, {"item": item, "outside": self._outside, "case": self._case, "slow_s": self._slow_s}

    def divide(self) -> tuple[str, dict[str, Any]]:
        """Two questions, each of them the goal of a sub-run that plays the scenario `part`."""
        goal = f"part {self._outside} {self._slow_s} {self._case}"
        return "investigate_hypotheses", {"questions": [{"hypothesis": "H1", "question": goal}] * 2}

    def report(self) -> tuple[str, dict[str, Any]]:
        how = [item.status for item in self._transcript.items if isinstance(item, Returned)]
        return "generate_report", {
            "verdict": "cannot_tell", "summary": f"It went: {' '.join(how)}.", "severity": "SEV3",
            "claims": [LAMPS.model_dump(mode="json")],
        }  # fmt: skip


Play = Callable[[int, _Asked], list[tuple[str, dict[str, Any]]]]


def _read_only(turn: int, ask: _Asked) -> list[tuple[str, dict[str, Any]]]:
    return [[ask.look("lamps"), ask.look("doors")], [ask.look("roofs")], [ask.report()]][turn]


def _one_order(turn: int, ask: _Asked) -> list[tuple[str, dict[str, Any]]]:
    return [[ask.look("lamps")], [ask.look("doors"), ask.order("bulbs")], [ask.report()]][turn]


def _fault(turn: int, ask: _Asked) -> list[tuple[str, dict[str, Any]]]:
    return [[ask.look("lamps"), ask.look("nothing")], [ask.look("doors")], [ask.report()]][turn]


def _two_orders(turn: int, ask: _Asked) -> list[tuple[str, dict[str, Any]]]:
    return [[ask.look("lamps")], [ask.order("bulbs"), ask.order("wires")], [ask.report()]][turn]


def _blind_order(turn: int, ask: _Asked) -> list[tuple[str, dict[str, Any]]]:
    return [[ask.look("lamps")], [ask.order("bulbs", "order_blind")], [ask.report()]][turn]


def _divided(turn: int, ask: _Asked) -> list[tuple[str, dict[str, Any]]]:
    return [[ask.look("lamps")], [ask.divide()], [ask.report()]][turn]


def _part(turn: int, ask: _Asked) -> list[tuple[str, dict[str, Any]]]:
    return [[ask.look("lamps")], [ask.report()]][turn]


def _long(turn: int, ask: _Asked) -> list[tuple[str, dict[str, Any]]]:
    if turn == 8:
        return [ask.report()]
    looks = [ask.look("lamps" if turn == 0 else f"lamps{turn}"), ask.look(f"doors{turn}")]
    return [*looks, ask.order("bulbs")] if turn == 4 else looks


SCENARIOS: dict[str, Play] = {
    "S1": _read_only, "S2": _one_order, "S3": _one_order, "S4": _one_order, "S5": _fault, "S6": _two_orders,
    "S7": _blind_order, "S8": _one_order, "S9": _one_order, "S10": _divided,
    "S11": _divided, "part": _part, "long": _long,
}  # fmt: skip

"""What a run has spent against its caps, and how long a failed model call waits. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from agent.planner import BudgetLeft

FIRST_WAIT_S, LONGEST_WAIT_S = 2.0, 300.0

WORDS = {
    "steps": "step limit ({cap})",
    "cycles": "cycle limit ({cap})",
    "tool_calls": "tool call limit ({cap})",
    "model_calls": "model call limit ({cap})",
    "tokens": "token limit ({cap:,})",
    "micro_usd": "money limit (${usd:.2f})",
    "driven_ms": "time limit ({minutes:g} min)",
    "today": "money limit of the day (${usd:.2f})",
}


class Spender(Protocol):
    """What is read of a runs.models.Run."""

    budget: Mapping[str, int]
    n_steps: int
    cycle: int
    n_tool_calls: int
    n_model_calls: int
    tokens_in: int
    tokens_out: int
    cost_micro_usd: int
    driven_ms: int


@dataclass(frozen=True, slots=True)
class Meter:
    name: str
    spent: int
    cap: int

    @property
    def is_used_up(self) -> bool:
        return self.spent >= self.cap

    def __str__(self) -> str:
        return WORDS[self.name].format(cap=self.cap, usd=self.cap / 1_000_000, minutes=self.cap / 60_000)


def meters(run: Spender) -> list[Meter]:
    """Every cap of the run with what is spent of it. The wall clock counts driven time only."""
    spent = {
        "steps": run.n_steps, "cycles": run.cycle - 1, "tool_calls": run.n_tool_calls,
        "model_calls": run.n_model_calls, "tokens": run.tokens_in + run.tokens_out,
        "micro_usd": run.cost_micro_usd, "driven_ms": run.driven_ms,
    }  # fmt: skip
    return [Meter(name, spent[name], cap) for name, cap in run.budget.items() if name in spent]


def limit_reached(run: Spender, spent_today: int, daily_cap: int) -> str:
    """The first cap that is used up, in words; empty while none is. The day's cap is the installation's."""
    today = Meter("today", spent_today, daily_cap)
    return next((str(meter) for meter in [*meters(run), today] if meter.is_used_up), "")


def left(run: Spender) -> BudgetLeft:
    """What the planner may still spend."""
    rest = {meter.name: max(0, meter.cap - meter.spent) for meter in meters(run)}
    return BudgetLeft(rest["steps"], rest["tool_calls"], rest["model_calls"], rest["tokens"], rest["micro_usd"])


def backoff_s(attempt: int, retry_after_s: float | None) -> float:
    """Seconds to wait: what the API asked for up to a cap, else doubling with full jitter in its upper half."""
    if retry_after_s is not None:
        return min(max(retry_after_s, 1.0), LONGEST_WAIT_S)
    ceiling = min(FIRST_WAIT_S * 2**attempt, LONGEST_WAIT_S)
    return float(ceiling * random.uniform(0.5, 1.0))  # noqa: S311  jitter, not a secret

"""A run's budget in words: what is spent of each cap, what its sub-runs were given, what all of it cost. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from runs.models import Run, ToolCall
from runs.presentation.formats import duration, money, plural
from runs.services.subruns import SHARED, key_of_call, spent_by
from runs.states import RETURNED


@dataclass(frozen=True, slots=True)
class Cap:
    """One row of the budget, in words: what is spent of a cap."""

    name: str
    spent: str
    cap: str


@dataclass(frozen=True, slots=True)
class Given:
    """One cap, in words: given to all sub-runs, spent by them, and returned; a dash while it is still theirs."""

    name: str
    given: str
    spent: str
    returned: str


def caps_of(run: Run) -> list[Cap]:
    """Every cap of a run, with what it spent itself."""
    spent = {"steps": run.n_steps, "cycles": run.cycle, **spent_by(run), "driven_ms": run.driven_ms}
    return [
        Cap(_word(name), _amount(name, value, run.cost_known), _amount(name, run.budget.get(name, 0)))
        for name, value in spent.items()
    ]


def given_to(sub_runs: Collection[Run], calls: Sequence[ToolCall]) -> list[Given]:
    """A row a cap; nothing for a run that has no sub-runs."""
    if not sub_runs:
        return []
    ended = {call.key for call in calls if call.status in RETURNED}
    has_come_back = all(key_of_call(part) in ended for part in sub_runs)
    return [_given(name, sub_runs, has_come_back) for name in SHARED]


def _given(name: str, sub_runs: Collection[Run], has_come_back: bool) -> Given:
    given = sum(part.budget[name] for part in sub_runs)
    spent = sum(spent_by(part)[name] for part in sub_runs)
    unused = sum(max(0, part.budget[name] - spent_by(part)[name]) for part in sub_runs)
    is_known = all(part.cost_known for part in sub_runs)
    back = _amount(name, unused) if has_come_back else "–"
    return Given(_word(name), _amount(name, given), _amount(name, spent, is_known), back)


def _word(name: str) -> str:
    return {"micro_usd": "money", "driven_ms": "time at work"}.get(name, name.replace("_", " "))


def _amount(name: str, value: int, is_known: bool = True) -> str:
    match name:
        case "micro_usd":
            return money(value, is_known)
        case "driven_ms":
            return duration(value / 1_000)
        case _:
            return f"{value:,}"


def cost_in_words(run: Run, sub_runs: Collection[Run]) -> str:
    """`$0.04`, or `$0.04, with its 2 sub-runs $0.11`."""
    own = money(run.cost_micro_usd, run.cost_known)
    if not sub_runs:
        return own
    together = run.cost_micro_usd + sum(part.cost_micro_usd for part in sub_runs)
    is_known = all(part.cost_known for part in (run, *sub_runs))
    return f"{own}, with its {plural(len(sub_runs), 'sub-run')} {money(together, is_known)}"

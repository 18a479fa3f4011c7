"""What a run gave its sub-runs of its budget, what became of it, and what all of them cost. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from runs.models import Run, ToolCall
from runs.presentation.formats import money, plural
from runs.services.subruns import SHARED, key_of_call, spent_by
from runs.states import RETURNED


@dataclass(frozen=True, slots=True)
class Given:
    """One cap: given to all of them, spent by them, and returned; None while some of it is still theirs."""

    name: str
    given: int
    spent: int
    returned: int | None


def given_to(sub_runs: Sequence[Run], calls: Sequence[ToolCall]) -> list[Given]:
    """A row a cap; nothing for a run that has no sub-runs."""
    if not sub_runs:
        return []
    settled = {call.key for call in calls if call.status in RETURNED}
    is_settled = all(key_of_call(part) in settled for part in sub_runs)
    return [_row(name, sub_runs, is_settled) for name in SHARED]


def _row(name: str, sub_runs: Sequence[Run], is_settled: bool) -> Given:
    given = sum(part.budget[name] for part in sub_runs)
    spent = sum(spent_by(part)[name] for part in sub_runs)
    unused = sum(max(0, part.budget[name] - spent_by(part)[name]) for part in sub_runs)
    return Given(name, given, spent, unused if is_settled else None)


def cost_in_words(run: Run, sub_runs: Collection[Run]) -> str:
    """`$0.04`, or `$0.04, with its 2 sub-runs $0.11`."""
    own = money(run.cost_micro_usd, run.cost_known)
    if not sub_runs:
        return own
    together = run.cost_micro_usd + sum(part.cost_micro_usd for part in sub_runs)
    is_known = all(part.cost_known for part in (run, *sub_runs))
    return f"{own}, with its {plural(len(sub_runs), 'sub-run')} {money(together, is_known)}"

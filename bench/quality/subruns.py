"""`--subruns`: every case without sub-runs and with them, in turn: what they bring and what they cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

from bench.figures import Figure, median_of, target
from bench.quality.case import Incident, Result
from bench.quality.investigators import investigators, side_by_side

SWITCH = "OPSPILOT_SUB_RUNS"
WITHOUT = "without sub-runs"


@dataclass(frozen=True, slots=True)
class Pair:
    """The two answers to one case."""

    alone: Result
    parted: Result

    def as_json(self) -> dict[str, Any]:
        return {"without": self.alone.as_json(), "with": self.parted.as_json()}


def pairs(cases: Sequence[Incident], jobs: int, planner: str, env: Mapping[str, str]) -> Iterator[Pair]:
    """In the order of the cases: without, with, without, with."""
    with (
        investigators(jobs, planner, {**env, SWITCH: "0"}) as alone,
        investigators(jobs, planner, {**env, SWITCH: "1"}) as parted,
    ):
        yield from side_by_side(jobs, cases, lambda case: Pair(alone.ask(case), parted.ask(case)))


def figures(answered: Sequence[Pair]) -> Iterator[Figure]:
    """`ours` is with sub-runs, the peer without."""
    gained = sum(pair.parted.verdict.hit and not pair.alone.verdict.hit for pair in answered)
    lost = sum(pair.alone.verdict.hit and not pair.parted.verdict.hit for pair in answered)
    count = f"right answers, of {len(answered)}"
    yield _line(answered, count, "", lambda result: result.verdict.hit, sum, more_is_better=True)
    yield Figure(
        "subruns", "right this way only", "", gained, peer=lost, peer_name=WITHOUT, more_is_better=True,
        targets=target("by chance", chance(gained, lost), 0.05),
    )  # fmt: skip
    yield _line(answered, "a case, median", "s", lambda result: result.seconds, median_of)
    yield _line(answered, "model calls a case", "", _spent("calls"), mean)
    yield _line(answered, "prompt as billed a case", "tokens", _spent("billed"), mean)
    yield _line(answered, "cost a case", "micro-USD", _spent("micro_usd"), mean, note=_unknown(answered))
    yield Figure("subruns", "sub-runs a case", "", mean([_spent("sub_runs")(pair.parted) for pair in answered]))


def _line(
    answered: Sequence[Pair], words: str, unit: str, read: Callable[[Result], float],
    together: Callable[[Sequence[float]], float | None], **more: Any,
) -> Figure:  # fmt: skip
    with_them, without = ([read(result) for result in side] for side in _sides(answered))
    return Figure("subruns", words, unit, together(with_them), peer=together(without), peer_name=WITHOUT, **more)


def _sides(answered: Sequence[Pair]) -> tuple[list[Result], list[Result]]:
    return [pair.parted for pair in answered], [pair.alone for pair in answered]


def _spent(name: str) -> Callable[[Result], float]:
    return lambda result: float(result.model.get(name, 0))


def _unknown(answered: Sequence[Pair]) -> str:
    every = [result for side in _sides(answered) for result in side]
    unknown = sum(not result.model.get("cost_known", False) for result in every)
    return f"or more: a price was not known in {unknown} of {len(every)} investigations" if unknown else ""


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def chance(gained: int, lost: int) -> float:
    """How likely so many gains or more are if each case in which the two differ were a toss (exact sign test)."""
    differ = gained + lost
    return sum(comb(differ, wins) for wins in range(gained, differ + 1)) / 2**differ

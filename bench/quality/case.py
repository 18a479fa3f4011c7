"""What a suite is made of: cases with their truth, results with marks, measures over results. Reads no data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Report = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run left behind: its report, {} where it came to none, and the tools that it asked for."""

    report: Report
    tools: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One answer beside the truth. `marks` are what the suite's measures add up."""

    answer: tuple[str, ...]  # ranked, best first
    hit: bool
    marks: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Incident:
    """A case that a run investigates. `write` makes its telemetry folder; the truth stays with `judge`."""

    id: str
    goal: str
    truth: Mapping[str, Any]
    write: Callable[[Path], None]
    judge: Callable[[Answer], Verdict]


@dataclass(frozen=True, slots=True)
class Sample:
    """A case that needs no run: it exercises an analysis module that tools call."""

    id: str
    truth: Mapping[str, Any]
    judge: Callable[[], Verdict]


Case = Incident | Sample


@dataclass(frozen=True, slots=True)
class Result:
    id: str
    verdict: Verdict
    truth: Mapping[str, Any]
    seconds: float
    tool_calls: int = 0
    evidence_bytes: int = 0
    problem: str = ""  # why there is no answer
    model: Mapping[str, Any] = field(default_factory=dict)  # what a run's model calls cost: bench/ours/investigation.py

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id, "answer": list(self.verdict.answer), "truth": dict(self.truth), "hit": self.verdict.hit,
            "seconds": round(self.seconds, 3), "tool_calls": self.tool_calls, "evidence_bytes": self.evidence_bytes,
            "marks": dict(self.verdict.marks), **({"model": dict(self.model)} if self.model.get("calls") else {}),
            **({"problem": self.problem} if self.problem else {}),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure over results: its value, the count behind it where there is one, and the bound that is aimed at."""

    words: str
    value: Callable[[Sequence[Result]], float | None]  # None where these results say nothing of it
    count: Callable[[Sequence[Result]], str] = field(default=lambda results: str(len(results)))
    bound: float | None = None
    at_least: bool = True


@dataclass(frozen=True, slots=True)
class Suite:
    name: str
    load: Callable[[Path, int], Sequence[Case]]  # the data set's folder, and how many seeds where cases are drawn
    measures: Sequence[Measure]
    needs_path: bool = True


def share(mark: str, words: str, bound: float | None = None, *, at_least: bool = True) -> Measure:
    """The share of results that carry this mark at all for which it is 1."""

    def carrying(results: Sequence[Result]) -> list[float]:
        return [result.verdict.marks[mark] for result in results if mark in result.verdict.marks]

    def value(results: Sequence[Result]) -> float | None:
        marks = carrying(results)
        return sum(marks) / len(marks) if marks else None

    return Measure(
        words, value, lambda results: f"{sum(carrying(results)):g}/{len(carrying(results))}", bound, at_least
    )


def mean(mark: str, words: str, bound: float | None = None) -> Measure:
    return Measure(
        words, lambda results: sum(result.verdict.marks[mark] for result in results) / len(results), bound=bound
    )


def total(mark: str, words: str, bound: float | None = None) -> Measure:
    """How many results carry the mark; fewer is better."""
    return Measure(
        words, lambda results: sum(result.verdict.marks.get(mark, 0.0) for result in results), bound=bound,
        at_least=False,
    )  # fmt: skip


def at_rank(ranked: Sequence[str], truth: str, ranks: Sequence[int]) -> Verdict:
    """AS@k: is the truth within the first k answers? A name counts once, at its best place."""
    answer = tuple(dict.fromkeys(ranked))
    place = answer.index(truth) + 1 if truth in answer else 0
    return Verdict(answer, place == 1, {f"top {k}": float(0 < place <= k) for k in ranks})


def suspects_of(report: Report) -> list[str]:
    """The entity that the report blames, then its suspects in their order."""
    cause = report.get("root_cause") or {}
    named = [cause["entity"]] if cause else []
    return [*named, *(suspect["entity"] for suspect in report.get("suspects", ()))]

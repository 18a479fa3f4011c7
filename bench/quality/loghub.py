"""loghub-2k (Zhu et al. 2019): 2,000 lines a system with hand-made templates; do lines of one statement group together?

Grouping accuracy (GA): the share of lines whose group is exactly a true one. FGA: the F1 of the groups themselves. The
messages alone are fed, and no setting knows of a system.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Hashable, Sequence
from functools import partial
from pathlib import Path

from bench.quality.case import Sample, Suite, Verdict, mean
from tools.analysis.templates import groups_of

GOOD = 0.9


def load(root: Path, seeds: int) -> list[Sample]:
    return [
        Sample(file.parent.name, {}, partial(_judge, file)) for file in sorted(root.glob("*/*_2k.log_structured.csv"))
    ]


def _judge(file: Path) -> Verdict:
    with file.open(newline="", encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    found = groups_of([row["Content"] for row in rows])
    truth = [row["EventId"] for row in rows]
    accuracy, of_groups = grouping(found, truth)
    marks = {"GA": accuracy, "FGA": of_groups}
    return Verdict((f"{len(set(found))} groups of {len(set(truth))}",), accuracy >= GOOD, marks)


def grouping(found: Sequence[Hashable], truth: Sequence[Hashable]) -> tuple[float, float]:
    """GA and FGA."""
    ours, theirs = _groups(found), _groups(truth)
    exact = [group for group in ours if group in theirs]
    return sum(map(len, exact)) / len(truth), 2 * len(exact) / (len(ours) + len(theirs))


def _groups(labels: Sequence[Hashable]) -> set[frozenset[int]]:
    lines: dict[Hashable, set[int]] = defaultdict(set)
    for at, label in enumerate(labels):
        lines[label].add(at)
    return {frozenset(group) for group in lines.values()}


SUITE = Suite("loghub2k", load, (mean("GA", "grouping accuracy", GOOD), mean("FGA", "F1 of groups")))

"""Which services carry the movement of an alerting series: those whose own series of that metric moves with it.

Method: the squared correlation within the incident as the share of the alert's movement that a service carries (ranked
correlation, as Hardt et al. 2023 compare it), less what a callee explains: an excess passes down a call as far as the
callee's own excess in the same unit reaches (traversal by Lin et al. 2018, Microscope, with amounts for yes and no).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tools.analysis.changepoints import Values

FEWEST = 3  # shared points that a correlation needs


@dataclass(frozen=True, slots=True)
class Course:
    """A service's series of the alert's metric within the incident, at the alert's times (NaN where it has none)."""

    service: str
    values: Values
    usual: float  # median of its quiet time; values and this are turned so that up is bad


@dataclass(frozen=True, slots=True)
class Carried:
    """How much of the alert's movement a service carries itself, 0 to 1; `explained_by` is a callee that takes most."""

    service: str
    share: float
    moves_with: float  # squared correlation; 0 where they move against each other
    explained_by: str = ""


def carriers(alert: Course, others: Mapping[str, Course], callees: Mapping[str, frozenset[str]]) -> list[Carried]:
    """By service, in the order of names."""
    along = {name: _moves_with(alert.values, course.values) for name, course in others.items()}
    excess = {name: _excess(course) for name, course in others.items()}
    found = []
    for name in sorted(others):
        reach = {
            callee: along[callee] * min(1.0, excess[callee] / excess[name]) if excess[name] > 0 else 0.0
            for callee in callees.get(name, frozenset()) if callee in others and callee != alert.service
        }  # fmt: skip
        deepest = max(reach, key=lambda callee: (reach[callee], callee), default="")
        passed = reach.get(deepest, 0.0)
        found.append(Carried(name, along[name] * (1 - passed), along[name], deepest if passed >= 0.5 else ""))
    return found


def _moves_with(alert: Values, values: Values) -> float:
    shared = np.isfinite(alert) & np.isfinite(values)
    if shared.sum() < FEWEST:
        return 0.0
    first, second = alert[shared] - alert[shared].mean(), values[shared] - values[shared].mean()
    size = float(np.sqrt((first**2).sum() * (second**2).sum()))
    together = float((first * second).sum()) / size if size > 0 else 0.0
    return max(0.0, together) ** 2


def _excess(course: Course) -> float:
    """How far the worse half of the incident lies above the usual."""
    known = np.sort(course.values[np.isfinite(course.values)])
    return max(0.0, float(known[-max(1, len(known) // 2) :].mean()) - course.usual) if len(known) else 0.0

"""Who carries an alert's movement: the one that moves with it and whose callees do not explain its excess."""

from __future__ import annotations

import numpy as np

from tools.analysis.carriers import Course, carriers

ALERT = Course("front", np.array([0.1, 0.1, 0.3, 0.3, 0.2]), 0.1)


def _course(name: str, usual: float, *excess: float) -> Course:
    return Course(name, usual + np.array(excess), usual)


def _shares(*courses: Course, **callees: frozenset[str]) -> dict[str, float]:
    found = carriers(ALERT, {course.service: course for course in courses}, callees)
    return {one.service: round(one.share, 2) for one in found}


def test_the_deepest_service_with_the_excess_carries_it() -> None:
    shares = _shares(
        _course("cart", 0.05, 0, 0, 0.2, 0.2, 0.1),
        _course("store", 0.01, 0, 0, 0.2, 0.2, 0.1),
        cart=frozenset({"store"}),
    )
    assert shares == {"cart": 0.0, "store": 1.0}


def test_a_callee_that_moves_a_little_does_not_explain_much() -> None:
    shares = _shares(
        _course("cart", 0.05, 0, 0, 0.2, 0.2, 0.1), _course("store", 0.01, 0, 0, 0.004, 0.004, 0.002),
        cart=frozenset({"store"}),
    )  # fmt: skip
    assert shares["cart"] > 0.95


def test_what_was_high_all_along_or_moves_against_the_alert_carries_nothing() -> None:
    assert _shares(_course("old", 0.1, 0.9, 0.9, 0.9, 0.9, 0.9)) == {"old": 0.0}
    assert _shares(_course("against", 0.1, 0.2, 0.2, 0, 0, 0.1)) == {"against": 0.0}


def test_points_that_are_missing_are_left_out_and_two_are_too_few() -> None:
    nan = float("nan")
    assert _shares(_course("gaps", 0.1, 0, nan, 0.2, 0.2, nan))["gaps"] > 0.95
    assert _shares(_course("bare", 0.1, 0, nan, 0.2, nan, nan)) == {"bare": 0.0}


def test_the_callee_that_explains_most_is_named() -> None:
    cart, store = _course("cart", 0.05, 0, 0, 0.2, 0.2, 0.1), _course("store", 0.01, 0, 0, 0.2, 0.2, 0.1)
    (first, _) = carriers(ALERT, {"cart": cart, "store": store}, {"cart": frozenset({"store"})})
    assert first.explained_by == "store"

"""Rates and quantiles against values worked out by hand from Prometheus' definitions."""

from __future__ import annotations

import numpy as np
import pytest

from tools.sources.metrics.counters import quantile, rate

SECOND = 1_000_000


def _at(*seconds: int) -> np.ndarray:
    return np.array(seconds, np.int64) * SECOND


def test_a_rate_is_the_increase_over_its_window() -> None:
    times, values = rate(_at(0, 10, 20, 30), np.array([100.0, 110.0, 140.0, 140.0]), 10 * SECOND)

    assert (times // SECOND).tolist() == [10, 20, 30]
    assert values.tolist() == [1.0, 3.0, 0.0]


def test_a_counter_that_falls_was_started_again() -> None:
    _, values = rate(_at(0, 10, 20), np.array([100.0, 5.0, 25.0]), 10 * SECOND)

    assert values.tolist() == [0.5, 2.0]


def test_a_window_that_reaches_into_a_gap_starts_behind_it() -> None:
    times, values = rate(_at(0, 10, 60, 70), np.array([0.0, 10.0, 20.0, 30.0]), 20 * SECOND)

    assert (times // SECOND).tolist() == [70]
    assert values.tolist() == [1.0]


def test_one_point_has_no_rate() -> None:
    assert len(rate(_at(0), np.array([1.0]), SECOND)[0]) == 0


@pytest.mark.parametrize(("share", "expected"), [(0.5, 0.1), (0.75, 0.3), (0.95, 0.46), (0.0, 0.0), (1.0, 0.5)])
def test_a_quantile_lies_within_its_bucket(share: float, expected: float) -> None:
    counts = np.array([[50.0], [100.0], [100.0]])

    assert quantile(share, np.array([0.1, 0.5, np.inf]), counts)[0] == pytest.approx(expected)


def test_beyond_the_last_bound_it_is_that_bound() -> None:
    assert quantile(0.99, np.array([0.1, 0.5, np.inf]), np.array([[1.0], [2.0], [100.0]]))[0] == 0.5


def test_nothing_counted_is_no_quantile() -> None:
    assert np.isnan(quantile(0.5, np.array([0.1, np.inf]), np.zeros((2, 1)))[0])

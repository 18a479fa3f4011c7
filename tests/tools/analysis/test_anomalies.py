"""When a series left its own quiet behaviour."""

from __future__ import annotations

import numpy as np
import pytest

from tools.analysis.anomalies import find_departure, increments, is_counter

NOISE = np.random.default_rng(5)


def quiet(points: int, level: float = 20.0, spread: float = 1.0) -> np.ndarray:
    return NOISE.normal(level, spread, points)


def test_a_step_is_found_at_the_point_where_it_begins():
    series = np.concatenate([quiet(120), quiet(60, level=60)])
    found = find_departure(series)
    assert found is not None
    assert found.onset == 120
    assert found.direction == "up"
    assert found.ongoing
    assert found.level == pytest.approx(60, abs=2)


def test_a_drop_is_found_with_its_direction():
    found = find_departure(np.concatenate([quiet(120, 0.97, 0.004), quiet(40, 0.55, 0.004)]))
    assert found is not None
    assert (found.onset, found.direction) == (120, "down")


def test_a_ramp_begins_where_it_leaves_the_quiet_band():
    series = np.concatenate([quiet(100), 20 + np.arange(80) * 0.8 + NOISE.normal(0, 1, 80)])
    found = find_departure(series)
    assert found is not None
    assert 101 <= found.onset <= 112


def test_noise_alone_is_no_departure():
    assert all(find_departure(np.random.default_rng(seed).normal(50, 3, 300)) is None for seed in range(40))


def test_a_slow_swing_of_the_day_is_no_departure():
    minutes = np.arange(330)
    for seed in range(20):
        swing = 100 * (1 + 0.1 * np.sin(minutes / 330 * 3)) * np.random.default_rng(seed).normal(1, 0.03, 330)
        assert find_departure(swing) is None


def test_a_single_outlier_is_no_departure():
    series = quiet(200)
    series[150] = 500
    assert find_departure(series) is None


def test_separate_peaks_are_one_departure_that_is_called_spiky():
    series = quiet(200, 1.0, 0.05)
    series[[120, 140, 160, 180]] = 40
    found = find_departure(series)
    assert found is not None
    assert found.spiky
    assert found.onset == 120


def test_a_departure_that_ended_is_not_ongoing():
    found = find_departure(np.concatenate([quiet(120), quiet(20, 80), quiet(60)]))
    assert found is not None
    assert not found.ongoing
    assert found.last < 145


def test_a_series_that_is_zero_until_it_is_not_departs():
    found = find_departure(np.concatenate([np.zeros(60), np.full(10, 4.0)]))
    assert found is not None
    assert found.onset == 60
    assert found.normal.high == 0


def test_a_rising_total_is_judged_by_its_increments():
    steady = np.cumsum(NOISE.poisson(100, 200)).astype(float)
    assert is_counter(steady)
    assert find_departure(steady) is None
    faster = np.cumsum(np.concatenate([NOISE.poisson(100, 140), NOISE.poisson(400, 60)])).astype(float)
    found = find_departure(faster)
    assert found is not None
    assert abs(found.onset - 140) <= 1


def test_increments_of_a_counter_that_starts_over_are_never_negative():
    assert increments(np.array([5.0, 9.0, 1.0, 3.0])).min() >= 0


def test_an_incident_that_fills_most_of_the_series_is_still_seen():
    found = find_departure(np.concatenate([quiet(30), quiet(170, 90)]))
    assert found is not None
    assert found.onset == 30


def test_a_few_points_say_nothing():
    assert find_departure(np.array([1.0, 1.0, 50.0])) is None

"""The most likely moment of a change of level."""

from __future__ import annotations

import numpy as np

from tools.analysis.changepoints import find_change_point


def test_the_split_lies_where_the_level_changes():
    noise = np.random.default_rng(3)
    found = find_change_point(np.concatenate([noise.normal(5, 1, 70), noise.normal(9, 1, 50)]))
    assert found is not None
    assert abs(found.index - 70) <= 2
    assert found.p_value < 1e-6
    assert found.before < found.after


def test_noise_has_no_significant_split():
    noise = np.random.default_rng(3).normal(5, 1, 200)
    found = find_change_point(noise)
    assert found is not None
    assert found.p_value > 0.01


def test_an_outlier_does_not_move_the_split():
    values = np.concatenate([np.tile([1.0, 2.0], 20), np.tile([5.0, 6.0], 20)])
    values[3] = 1e9
    found = find_change_point(values)
    assert found is not None
    assert found.index == 40


def test_a_constant_or_tiny_series_has_none():
    assert find_change_point(np.full(50, 3.0)) is None
    assert find_change_point(np.array([1.0, 2.0])) is None

"""Two windows side by side."""

from __future__ import annotations

import numpy as np
import pytest

from tools.analysis.windows import cliffs_delta, compare_counts


def test_the_same_rate_over_windows_of_other_lengths_is_no_change():
    change = compare_counts(before=600, before_minutes=60, after=98, after_minutes=10)
    assert not change.is_multiplied
    assert not change.is_gone
    assert abs(change.z) < 3


def test_many_times_the_rate_is_multiplied():
    assert compare_counts(20, 60, 200, 60).is_multiplied


def test_two_lines_more_are_not_multiplied_although_the_ratio_is():
    assert not compare_counts(1, 60, 4, 60).is_multiplied


def test_what_was_never_there_is_new_and_what_stopped_is_gone():
    assert compare_counts(0, 60, 5, 60).is_new
    assert compare_counts(300, 60, 2, 60).is_gone


def test_cliffs_delta_is_the_share_of_pairs_won():
    low, high = np.array([1.0, 2.0, 3.0]), np.array([10.0, 11.0])
    assert cliffs_delta(low, high) == 1
    assert cliffs_delta(high, low) == -1
    assert cliffs_delta(low, low) == 0
    assert cliffs_delta(np.array([1.0, 2.0]), np.array([1.5])) == pytest.approx(0)
    assert cliffs_delta(np.array([]), high) == 0

"""Two windows side by side."""

from __future__ import annotations

from tools.analysis.windows import compare_counts


def test_the_same_rate_over_windows_of_other_lengths_is_no_change():
    change = compare_counts(before=600, before_minutes=60, after=98, after_minutes=10)
    assert not change.is_multiplied
    assert abs(change.z) < 3


def test_many_times_the_rate_is_multiplied():
    assert compare_counts(20, 60, 200, 60).is_multiplied


def test_two_lines_more_are_not_multiplied_although_the_ratio_is():
    assert not compare_counts(1, 60, 4, 60).is_multiplied

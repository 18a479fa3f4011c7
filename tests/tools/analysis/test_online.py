"""Scores and alerts that look only backwards."""

from __future__ import annotations

import numpy as np
import pytest

from tools.analysis.online import Matrix, event_scores, find_alerts, probation


def noise(seed: int, count: int = 1_000, level: float = 100.0) -> Matrix:
    return np.random.default_rng(seed).normal(level, 5.0, (1, count))


def test_a_new_level_is_told_early_once_and_with_its_direction() -> None:
    values = noise(1)
    values[0, 600:] += 60
    (alerts,) = find_alerts(values)

    assert [(alert.index, alert.direction) for alert in alerts if alert.index >= 600] == [(600, "up")]


def test_a_small_lasting_shift_is_found_by_the_mean_of_a_short_while() -> None:
    values = noise(2)
    values[0, [150, 300]] = [150, 50]  # it has seen points farther out than the shift goes
    values[0, 700:] -= 8
    (alerts,) = find_alerts(values)

    assert any(alert.is_level and alert.direction == "down" and 700 < alert.index < 760 for alert in alerts)


def test_a_spike_is_found_and_a_second_one_like_it_is_no_news() -> None:
    values = noise(3)
    values[0, [500, 800]] = 200
    (alerts,) = find_alerts(values)

    assert [alert.index for alert in alerts if alert.index in (500, 800)] == [500]


def test_quiet_series_and_flat_ones_give_few_alerts_or_none() -> None:
    quiet = np.concatenate([noise(seed, 360) for seed in range(200)])

    assert sum(map(len, find_alerts(quiet, least_z=4.0))) <= 10
    assert find_alerts(np.full((3, 500), 7.25)) == [[], [], []]
    assert find_alerts(np.zeros((1, 500))) == [[]]
    assert find_alerts(np.empty((0, 500))) == []
    assert find_alerts(np.ones((1, 5))) == [[]]


def test_nothing_looks_ahead() -> None:
    values = np.abs(noise(4, 1_200)) + 50 * (np.sin(np.arange(1_200) / 24 * 2 * np.pi) > 0)
    values[0, 900] = 900
    changed = values.copy()
    changed[0, 1_000:] = 1e6

    assert np.array_equal(event_scores(values, 24)[0, :1_000], event_scores(changed, 24)[0, :1_000])
    before, after = (find_alerts(one)[0] for one in (values, changed))
    assert [one for one in before if one.index < 1_000] == [one for one in after if one.index < 1_000]


def test_what_comes_every_day_at_the_same_time_is_no_event() -> None:
    values = noise(5, 24 * 20)
    for hour in (5, 6, 7):
        values[0, hour::24] += 200
    values[0, 24 * 15 + 16] += 400

    scores = event_scores(values, per_day=24)[0]
    assert scores[24 * 15 + 16] > 3
    assert max(scores[24 * 8 + 6 :: 24]) < 2
    assert min(event_scores(values)[0, 24 * 8 + 6 :: 24]) > 2


def test_one_step_of_a_counter_is_no_event() -> None:
    values = np.zeros((1, 600))
    values[0, 10::90] = 1

    assert event_scores(values).max() < 3
    values[0, 550] = 40
    assert event_scores(values)[0, 550] > 3


@pytest.mark.parametrize(("count", "quiet"), [(0, 0), (100, 15), (4_000, 600), (20_000, 750)])
def test_the_probation_is_a_share_with_a_limit(count: int, quiet: int) -> None:
    assert probation(count) == quiet

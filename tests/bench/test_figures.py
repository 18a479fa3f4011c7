"""The arithmetic that turns values into figures."""

from __future__ import annotations

import pytest

from bench.figures import Figure, median_ratio, quantile, target


def test_a_quantile_is_one_of_the_values() -> None:
    values = [float(number) for number in range(1, 101)]

    assert (quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1.0)) == (50, 99, 100)
    assert quantile([7.0], 0.99) == 7


def test_a_quantile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


def test_a_ratio_is_taken_within_each_round() -> None:
    """The machine was ten times slower in the last round; the ratio is not."""
    assert median_ratio([3.0, 3.0, 30.0], [1.0, 1.0, 10.0]) == 3.0


def test_less_time_than_the_peer_is_better() -> None:
    figure = Figure("durable", "a cycle", "ms", ours=2.0, peer=6.0, floor=1.0)

    assert (figure.times_peer, figure.times_floor) == (3.0, 2.0)


def test_more_deliveries_than_the_peer_are_better() -> None:
    figure = Figure("live", "a burst", "deliveries/s", ours=50.0, peer=10.0, floor=100.0, more_is_better=True)

    assert (figure.times_peer, figure.times_floor) == (5.0, 2.0)


def test_a_peer_that_could_not_start_leaves_a_gap_and_no_ratio() -> None:
    figure = Figure("durable", "a cycle", "ms", ours=2.0, peer=None, targets=target("× peer", None, 3, at_least=True))

    assert figure.times_peer is None
    assert figure.as_json()["targets"] == []


@pytest.mark.parametrize(("value", "at_least", "reached"), [(3.0, True, True), (2.9, True, False), (3.1, False, False)])
def test_a_target_is_a_bound_from_one_side(value: float, at_least: bool, reached: bool) -> None:
    (only,) = target("× peer", value, 3.0, at_least=at_least)

    assert only.is_reached is reached

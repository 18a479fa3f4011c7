"""How surprising shares, shifts and strayings are, in decimal digits of rarity."""

from __future__ import annotations

import numpy as np
import pytest

from tools.analysis.surprise import share_surprise, shift_surprise
from tools.analysis.suspicion import Sign, rank
from tools.analysis.tails import Strip, strays, tail_surprise


def test_a_share_as_in_the_quiet_time_is_no_surprise() -> None:
    assert share_surprise(5, 50, 10, 100) < 0.5
    assert share_surprise(0, 50, 0, 100) == 0.0


def test_a_share_surprises_more_the_more_is_known_of_the_quiet_time() -> None:
    little, much = share_surprise(5, 10, 0, 4), share_surprise(5, 10, 0, 400)
    assert 0.5 < little < 3 < much


def test_the_tail_of_a_share_sums_to_one() -> None:
    assert share_surprise(1, 1, 0, 0) == pytest.approx(-np.log10(0.5))


def test_a_shift_surprises_less_where_few_are_compared() -> None:
    assert shift_surprise(2.33, 1_000) == pytest.approx(2.0, abs=0.05)
    assert shift_surprise(30, 5) < 4 < shift_surprise(30, 100)
    assert shift_surprise(-3, 10) == 0.0


def test_a_far_point_says_little_of_a_metric_that_jumps_in_quiet_times() -> None:
    rng = np.random.default_rng(1)
    calm = [Strip(f"s{n}", f"s{n} cpu", rng.normal(20, 1, 60), rng.normal(20, 1, 5)) for n in range(8)]
    wild = [Strip(f"s{n}", f"s{n} p99", np.exp(rng.normal(2, 2, 60)), np.exp(rng.normal(2, 2, 5))) for n in range(8)]
    raised = Strip("bad", "bad cpu", rng.normal(20, 1, 60), rng.normal(60, 1, 5))
    jumped = Strip("odd", "odd p99", np.exp(rng.normal(2, 2, 60)), np.array([7.0, 9.0, 2_000.0, 2_500.0, 8.0]))
    (bad,) = [one for one in strays([*calm, raised]) if one.service == "bad"]
    (odd,) = [one for one in strays([*wild, jumped]) if one.service == "odd"]
    assert odd.z > bad.z
    assert bad.surprise > 1.5 * odd.surprise > 0


def test_a_change_that_nobody_minds_is_no_surprise_however_steady_the_series() -> None:
    rng = np.random.default_rng(2)
    steady = [Strip(f"s{n}", f"s{n} mem", rng.normal(600, 0.5, 60), rng.normal(600, 0.5, 5)) for n in range(5)]
    grown = Strip("s9", "s9 mem", rng.normal(600, 0.5, 60), rng.normal(640, 0.5, 5))
    assert strays([*steady, grown])[-1].surprise == 0.0


def test_one_point_alone_is_an_outlier() -> None:
    rng = np.random.default_rng(3)
    strips = [Strip(f"s{n}", f"s{n} cpu", rng.normal(20, 1, 60), rng.normal(20, 1, 5)) for n in range(5)]
    spiked = np.array([20.0, 20.5, 90.0, 19.5, 20.0])
    assert strays([*strips, Strip("one", "one cpu", rng.normal(20, 1, 60), spiked)])[-1].surprise < 1


def test_beyond_the_farthest_quiet_straying_the_tail_goes_on() -> None:
    quiet = np.sort(np.random.default_rng(4).exponential(1, 200))[::-1]
    near, far = tail_surprise(float(quiet[0]) * 1.1, quiet), tail_surprise(float(quiet[0]) * 5, quiet)
    assert 1.5 < near < far


def test_a_slow_caller_comes_after_the_callee_that_explains_it() -> None:
    def sign(service: str, surprise: float, is_symptom: bool) -> Sign:
        return Sign(service, "x", surprise, "", 1, 0, is_symptom=is_symptom)

    below = {"front": frozenset({"shop", "store"}), "shop": frozenset({"store"})}
    slow = [sign("front", 6, True), sign("shop", 5, True), sign("store", 3.5, False)]

    def order(signs: list[Sign]) -> list[str]:
        return [one.service for one in rank(signs, lambda name: below.get(name, frozenset()))]

    assert order(slow) == ["store", "shop", "front"]
    assert order([sign("front", 6, False), *slow[1:]])[0] == "front"
    assert order([slow[0], sign("store", 1.5, False)]) == ["front", "store"]


def test_of_one_channel_the_most_surprising_sign_is_kept() -> None:
    (one,) = rank([Sign("shop", "calls", 1.0, "less", 1, 0), Sign("shop", "calls", 3.0, "more", 2, 0)])
    assert [sign.words for sign in one.signs] == ["more"]

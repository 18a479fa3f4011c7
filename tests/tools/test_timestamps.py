"""Times as logs and tables write them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.sources.timestamps import from_us, iso, read_time, read_us, to_us


@pytest.mark.parametrize(
    ("raw", "meant"),
    [
        ("2026-09-14T09:00:00Z", "2026-09-14T09:00:00Z"),
        ("2026-09-14 09:00:00,123", "2026-09-14T09:00:00.123000Z"),
        ("2026-09-14T11:00:00+02:00", "2026-09-14T09:00:00Z"),
        ("2026-09-14T11:00:00+0200", "2026-09-14T09:00:00Z"),
        ("2026-09-14T09:00:00.123456789Z", "2026-09-14T09:00:00.123456Z"),
        ("2026-09-14 09:00:00 UTC", "2026-09-14T09:00:00Z"),
        ("2026/09/14 09:00:00", "2026-09-14T09:00:00Z"),
        ("14/Sep/2026:11:00:00 +0200", "2026-09-14T09:00:00Z"),
        ("Mon Sep 14 09:00:00.5 2026", "2026-09-14T09:00:00.500000Z"),
        (1_789_376_400, "2026-09-14T09:00:00Z"),
        (1_789_376_400.25, "2026-09-14T09:00:00.250000Z"),
        (1_789_376_400_000, "2026-09-14T09:00:00Z"),
        ("1789376400000000", "2026-09-14T09:00:00Z"),
        (1_789_376_400_000_000_000, "2026-09-14T09:00:00Z"),
    ],
)
def test_a_time_is_read_to_utc(raw: Any, meant: str) -> None:
    found = read_time(raw)
    assert found is not None
    assert iso(found) == meant


@pytest.mark.parametrize(
    "raw", ["", "soon", "12", 12, None, True, [], {}, "2026-13-40T00:00:00Z", float("nan"), float("inf"), "1" * 400]
)
def test_what_is_no_time_is_none_and_not_an_error(raw: Any) -> None:
    assert read_us(raw) is None


@given(st.one_of(st.text(max_size=80), st.integers(), st.floats(), st.booleans(), st.none()))
def test_no_value_whatever_makes_the_reader_fail(raw: Any) -> None:
    found = read_us(raw)
    assert found is None or isinstance(found, int)


@given(st.datetimes(min_value=datetime(1974, 1, 1), max_value=datetime(2200, 1, 1)))
def test_microseconds_come_back_as_the_same_moment(naive: datetime) -> None:
    moment = naive.replace(tzinfo=UTC)
    assert from_us(to_us(moment)) == moment
    assert read_us(iso(moment)) == to_us(moment)

"""Ranges as people write them, against a fixed as-of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tools.base import ToolError
from tools.timerange import TimeRange, resolve

AS_OF = datetime(2026, 9, 14, 10, 40, tzinfo=UTC)
OLDEST = datetime(2026, 9, 14, 9, 0, tzinfo=UTC)
END = "2026-09-14T10:40:01+00:00"  # the second of as-of belongs to the range


@pytest.mark.parametrize(
    ("since", "until", "start", "stop"),
    [
        ("", "", "2026-09-14T09:00:00+00:00", END),
        ("last 5 hours", "", "2026-09-14T05:40:00+00:00", END),
        ("Last  Five hours", "", "2026-09-14T05:40:00+00:00", END),
        ("the last hour", "", "2026-09-14T09:40:00+00:00", END),
        ("past day", "", "2026-09-13T10:40:00+00:00", END),
        ("in the last 2 days", "", "2026-09-12T10:40:00+00:00", END),
        ("last week", "", "2026-09-07T10:40:00+00:00", END),
        ("30m", "", "2026-09-14T10:10:00+00:00", END),
        ("90 seconds ago", "", "2026-09-14T10:38:30+00:00", END),
        ("1h30m", "", "2026-09-14T09:10:00+00:00", END),
        ("1 hour and 30 minutes", "", "2026-09-14T09:10:00+00:00", END),
        ("half an hour", "", "2026-09-14T10:10:00+00:00", END),
        ("1.5 hours", "", "2026-09-14T09:10:00+00:00", END),
        ("now-6h", "now-1h", "2026-09-14T04:40:00+00:00", "2026-09-14T09:40:00+00:00"),
        ("-5h", "now", "2026-09-14T05:40:00+00:00", END),
        ("today", "", "2026-09-14T00:00:00+00:00", END),
        ("yesterday", "", "2026-09-13T00:00:00+00:00", "2026-09-14T00:00:00+00:00"),
        ("yesterday", "now", "2026-09-13T00:00:00+00:00", END),
        ("yesterday 14:00", "yesterday at 15:00", "2026-09-13T14:00:00+00:00", "2026-09-13T15:00:00+00:00"),
        ("since 02:00", "", "2026-09-14T02:00:00+00:00", END),
        ("02:00 UTC", "", "2026-09-14T02:00:00+00:00", END),
        ("22:12–03:12", "", "2026-09-13T22:12:00+00:00", "2026-09-14T03:12:00+00:00"),
        ("02:00-03:00", "", "2026-09-14T02:00:00+00:00", "2026-09-14T03:00:00+00:00"),
        ("between 02:00 and 03:00", "", "2026-09-14T02:00:00+00:00", "2026-09-14T03:00:00+00:00"),
        ("from 02:00 to 03:00", "", "2026-09-14T02:00:00+00:00", "2026-09-14T03:00:00+00:00"),
        ("10:30", "09:00", "2026-09-13T10:30:00+00:00", "2026-09-14T09:00:00+00:00"),
        ("10:00", "23:00", "2026-09-14T10:00:00+00:00", END),
        ("2026-09-14", "", "2026-09-14T00:00:00+00:00", END),
        ("2026-09-14T12:00:00+02:00", "", "2026-09-14T10:00:00+00:00", END),
        ("2026-09-14 09:30", "2026-09-14T10:00:00Z", "2026-09-14T09:30:00+00:00", "2026-09-14T10:00:00+00:00"),
        ("2026-09-14T09:00:00Z/2026-09-14T10:00:00Z", "", "2026-09-14T09:00:00+00:00", "2026-09-14T10:00:00+00:00"),
        ("1789376400", "", "2026-09-14T09:00:00+00:00", END),
        ("", "2026-09-14T10:40:00Z", "2026-09-14T09:00:00+00:00", END),
        ("", "2027-01-01", "2026-09-14T09:00:00+00:00", END),
    ],
)
def test_a_range_as_written_means_these_two_moments(since: str, until: str, start: str, stop: str) -> None:
    found = resolve(since, until, AS_OF, OLDEST)
    assert (found.since.isoformat(), found.until.isoformat()) == (start, stop)


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("whenever", "", "since='whenever' is not a time"),
        ("", "soon", "until='soon' is not a time"),
        ("25:00", "", "not a time of day"),
        ("2026-09-14T10:00:00Z", "2026-09-14T09:00:00Z", "empty or reversed"),
        ("now", "1h", "empty or reversed"),
        ("2026-09-15", "", "after as-of 2026-09-14T10:40:00Z"),
        ("2026-09-15", "2026-09-16", "after as-of 2026-09-14T10:40:00Z"),
        ("9999999999 weeks", "", "before the year 1"),
        ("1" * 5_000, "", "at most 100"),
    ],
)
def test_a_range_that_cannot_be_is_refused_with_what_would_be_valid(since: str, until: str, said: str) -> None:
    with pytest.raises(ToolError, match=said):
        resolve(since, until, AS_OF, OLDEST)


def test_without_any_data_the_range_is_the_last_hour() -> None:
    assert resolve("", "", AS_OF, None).since == AS_OF - timedelta(hours=1)


def test_an_as_of_with_a_fraction_keeps_its_own_second_in_the_range() -> None:
    as_of = AS_OF.replace(microsecond=123_456)
    assert resolve("1h", "", as_of, OLDEST).until > as_of


def test_as_of_in_another_zone_gives_utc() -> None:
    as_of = datetime.fromisoformat("2026-09-14T12:40:00+02:00")
    assert resolve("today", "", as_of, OLDEST).since == datetime(2026, 9, 14, tzinfo=UTC)


def test_the_range_before_has_the_same_length_and_ends_where_this_one_starts() -> None:
    now = TimeRange(AS_OF - timedelta(hours=2), AS_OF)
    assert now.before() == TimeRange(AS_OF - timedelta(hours=4), AS_OF - timedelta(hours=2))


def test_where_nobody_knows_how_far_the_data_reach_an_hour_before_the_end_is_meant() -> None:
    """A service does not say it; a range that only has an end must not begin behind it."""
    end = AS_OF - timedelta(hours=7)

    found = resolve("", end.isoformat(), AS_OF, None)

    assert (found.since, found.until) == (end - timedelta(hours=1), end)

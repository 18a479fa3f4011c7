"""The picture of an incident: which lanes are drawn, over which span, and that nothing in it lies by its scale."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from runs.presentation.picture import HEIGHT, MAX_POINTS, WIDTH, Picture, Shown, draw

AS_OF = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)
ONSET = AS_OF - timedelta(minutes=58)


def at(minutes: float) -> str:
    """ISO time, minutes after the onset."""
    return (ONSET + timedelta(minutes=minutes)).isoformat()


def series(name: str, before: float, after: float, unit: str = "") -> dict[str, Any]:
    points = [[at(minute), before if minute < 0 else after] for minute in range(-120, 58)]
    return {"id": f"orders {name}", "name": name, "unit": unit, "points": points}


def metrics(*rows: dict[str, Any], name: str = "E2") -> Shown:
    return Shown(name, "query_metrics", {"series": list(rows)})


def logs(counts: dict[int, int], name: str = "E1") -> Shown:
    per_minute = [[at(minute), count] for minute, count in counts.items()]
    return Shown(name, "search_logs", {"per_minute": per_minute, "bucket_s": 60, "total": sum(counts.values())})


def changes(*minutes: int) -> Shown:
    rows = [{"id": f"d{minute}", "at": at(minute), "title": f"release {minute}"} for minute in minutes]
    return Shown("E3", "list_changes", {"changes": rows})


def cites(figure: str, evidence: str = "E2", role: str = "symptom") -> dict[str, Any]:
    return {"kind": "number", "evidence": evidence, "figure": figure, "role": role}


def drawn(*evidence: Shown, claims: list[dict[str, Any]] | None = None, onset: str = ONSET.isoformat()) -> Picture:
    picture = draw(evidence, claims or [], onset, AS_OF)
    assert picture is not None
    return picture


def test_nothing_to_draw_is_no_picture() -> None:
    assert draw([], [], "", AS_OF) is None
    assert draw([changes(-3)], [], at(0), AS_OF) is None
    assert draw([metrics({"id": "x", "points": []})], [], at(0), AS_OF) is None


def test_a_cited_series_comes_before_one_that_changed_more() -> None:
    picture = drawn(metrics(series("quiet", 5, 6), series("wild", 1, 500)), claims=[cites("orders quiet max")])
    assert [lane.title for lane in picture.lanes] == ["orders quiet", "orders wild"]


def test_the_symptom_is_drawn_above_the_suspected_cause() -> None:
    claims = [cites("orders pool", role="mechanism"), cites("orders p99"), cites("orders rate")]
    picture = drawn(metrics(series("rate", 1, 9), series("p99", 1, 9), series("pool", 1, 9)), claims=claims)
    assert [lane.title for lane in picture.lanes] == ["orders p99", "orders pool"]


def test_the_culprits_own_series_come_before_those_of_its_victims() -> None:
    claims = [
        cites("orders victim", role="scope"),
        cites("orders pool", role="mechanism"),
        cites("orders wait", role=""),
    ]
    picture = drawn(metrics(series("victim", 0, 9), series("wait", 1, 2), series("pool", 1, 2)), claims=claims)
    assert [lane.title for lane in picture.lanes] == ["orders pool", "orders wait"]


def test_the_victims_series_is_drawn_where_the_culprit_has_but_one() -> None:
    claims = [cites("orders victim", role="scope"), cites("orders pool", role="mechanism")]
    picture = drawn(metrics(series("victim", 0, 9), series("pool", 1, 2), series("wild", 1, 999)), claims=claims)
    assert [lane.title for lane in picture.lanes] == ["orders pool", "orders victim"]


def test_shares_are_drawn_as_per_cent_and_other_rates_as_they_are() -> None:
    rows = metrics(series("error_rate", 0.0034, 0.1195), series("request_rate", 40, 90))
    share, rate = drawn(rows).lanes
    assert (share.top, share.unit) == (11.95, "%")
    assert share.note == "11.95 % at the end; before 02:14 it was 0.34 %"
    assert (rate.top, rate.unit) == (90, "")


def test_a_series_that_two_results_hold_is_drawn_once_from_the_cited_one() -> None:
    both = [metrics(series("pool", 1, 9), name="E1"), metrics(series("pool", 1, 9), name="E6")]
    picture = drawn(*both, metrics(series("wild", 1, 900), name="E7"), claims=[cites("orders pool", "E6")])
    assert [(lane.title, lane.evidence) for lane in picture.lanes] == [("orders pool", "E6"), ("orders wild", "E7")]


def test_without_claims_what_changed_most_is_drawn_first() -> None:
    picture = drawn(metrics(series("flat", 5, 5), series("some", 5, 7), series("most", 5, 50)))
    assert [lane.title for lane in picture.lanes] == ["orders most", "orders some"]


def test_at_most_four_lanes_end_with_log_matches_and_changes() -> None:
    picture = drawn(metrics(*(series(f"m{n}", n, n + 9) for n in range(6))), logs({1: 5, 2: 7}), changes(-3))
    assert [lane.kind for lane in picture.lanes] == ["line", "line", "bars", "ticks"]


def test_a_citation_of_one_series_is_not_one_of_its_longer_namesake() -> None:
    picture = drawn(metrics(series("cpu", 5, 5), series("cpu_wait", 1, 90)), claims=[cites("orders cpu")])
    assert picture.lanes[0].title == "orders cpu"


def test_the_span_reaches_as_far_before_the_onset_as_behind_it_and_at_least_an_hour() -> None:
    picture = drawn(metrics(series("p99", 0.2, 5)))
    assert picture.onset is not None
    assert picture.until == AS_OF.timestamp()
    assert picture.onset - picture.since == 3_600


def test_the_incident_is_shaded_from_its_onset_to_the_end() -> None:
    picture = drawn(metrics(series("p99", 0.2, 5)))
    assert picture.band is not None
    left, width = picture.band
    assert left + width == WIDTH
    assert abs(left - picture.x(ONSET.timestamp())) < 0.1


def test_without_an_onset_nothing_is_shaded_and_all_of_it_is_drawn() -> None:
    picture = drawn(metrics(series("p99", 0.2, 5)), onset="")
    assert picture.band is None
    assert len(picture.lanes[0].points) == 178


def test_an_onset_that_a_planner_misspelt_is_passed_over() -> None:
    assert drawn(metrics(series("p99", 0.2, 5)), onset="about two o'clock").onset is None


def test_axes_start_at_zero_so_that_a_ripple_stays_a_ripple() -> None:
    picture = drawn(metrics(series("cpu", 100, 101)))
    lane = picture.lanes[0]
    assert lane.bottom == 0
    assert abs(picture.y(lane, 100) - picture.y(lane, 101)) < 2


def test_negative_values_stay_inside_the_lane() -> None:
    picture = drawn(metrics(series("drift", -5, 5)))
    lane = picture.lanes[0]
    assert 0 <= picture.y(lane, 5) < picture.y(lane, -5) <= HEIGHT


def test_a_spike_of_one_point_survives_the_thinning() -> None:
    long = series("p99", 1, 1)
    long["points"] = [[(AS_OF - timedelta(seconds=3_600 - n)).isoformat(), 1.0] for n in range(3_600)]
    long["points"][1_801][1] = 999.0
    lane = drawn(metrics(long), onset=(AS_OF - timedelta(minutes=30)).isoformat()).lanes[0]
    assert len(lane.points) <= MAX_POINTS + 2
    assert lane.top == 999.0


def test_the_note_says_the_value_now_and_what_was_usual_before() -> None:
    lane = drawn(metrics(series("p99", 0.2, 5, unit="s"))).lanes[0]
    assert lane.note == "5 s at the end; before 02:14 it was 0.2 s"


def test_a_change_named_by_two_results_is_one_tick_and_old_ones_are_left_out() -> None:
    picture = drawn(metrics(series("p99", 0.2, 5)), changes(-500, -3), changes(-3, -9))
    assert picture.lanes[-1].labels == ("02:05 release -9", "02:11 release -3")


def test_points_without_a_value_or_a_time_are_passed_over() -> None:
    broken = series("p99", 1, 2)
    broken["points"] += [[at(58), None], ["never", 3.0]]
    assert len(drawn(metrics(broken), onset="").lanes[0].points) == 178


def test_a_path_holds_numbers_and_commands_and_nothing_else() -> None:
    picture = drawn(metrics(series("p99", 0.2, 5)), logs({1: 5}), changes(-3))
    for lane in picture.lanes:
        assert set(picture.path(lane)) <= set("MLV0123456789. -")

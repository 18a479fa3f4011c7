"""What a run's page says of the calls that run: words of the field, never a tool's name with its arguments."""

from __future__ import annotations

from datetime import UTC, datetime

from runs.presentation.looking import looking_at

AS_OF = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)


def test_a_search_is_said_with_its_level_service_and_time() -> None:
    args = {"level": "ERROR", "service": "orders-api", "since": "2026-03-01T02:00:00Z"}
    assert looking_at([("search_logs", args)], AS_OF) == "looking at error logs of orders-api since 02:00"


def test_calls_over_the_same_services_are_said_together_each_thing_once() -> None:
    calls = [
        ("query_metrics", {"name": "*", "service": ""}),
        ("search_logs", {"level": "ERROR"}),
        ("query_traces", {"errors_only": False}),
        ("query_metrics", {"name": "*"}),
    ]
    assert looking_at(calls, AS_OF) == "looking at metrics, error logs and traces of all services"


def test_calls_over_different_services_keep_their_own() -> None:
    calls = [("list_changes", {}), ("search_logs", {"service": "orders-db", "since": "last 5 hours"})]
    assert looking_at(calls, AS_OF) == "looking at changes of all services; logs of orders-db in the last 5 hours"


def test_of_many_places_two_are_named() -> None:
    calls = [("query_metrics", {"service": name}) for name in ("a", "b", "c", "d")]
    assert looking_at(calls, AS_OF) == "looking at metrics of a; metrics of b; more"


def test_a_long_pattern_is_cut() -> None:
    words = looking_at([("search_logs", {"pattern": "timed out " * 20})], AS_OF)
    assert words.startswith("looking at logs with “timed out")
    assert words.endswith("…” of all services")


def test_a_call_that_does_not_read_is_named_for_what_it_is() -> None:
    calls = [("search_logs", {}), ("create_ticket", {"title": "x"})]
    assert looking_at(calls, AS_OF) == "looking at logs of all services; running create ticket"


def test_nothing_that_runs_is_no_words() -> None:
    assert looking_at([], AS_OF) == ""


def test_what_goes_to_runs_of_their_own_is_called_so() -> None:
    assert looking_at([("investigate_hypotheses", {})], AS_OF) == "running sub-runs"

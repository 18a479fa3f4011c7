"""Errors by request, blamed on the deepest service, and lines that an operation stopped writing."""

from __future__ import annotations

from tests.tools.analysis.made import chain, line
from tools.analysis.requests import Line, Written, error_shares, missing_lines

QUIET, NOW = chain(30, 1), chain(30, 2)


def _routine(seed: int, runs: int = 30) -> list[Line]:
    return [line(f"t{seed}-{run}", service, f"{service} done") for run in range(runs) for service in ("shop", "mail")]


def test_a_failing_request_is_blamed_on_the_deepest_service_that_erred() -> None:
    erring = [
        line(f"t2-{run}", service, f"{service} failed", "ERROR") for run in range(12) for service in ("shop", "mail")
    ]
    shares = {share.service: share for share in error_shares(NOW, Written.of(erring), QUIET, Written.of([]))}
    assert set(shares) == {"mail"}
    assert (shares["mail"].hits, shares["mail"].trials, shares["mail"].quiet_trials) == (12, 30, 30)
    assert shares["mail"].what == "mail failed"
    assert shares["mail"].surprise > 3


def test_errors_as_frequent_as_ever_are_no_surprise() -> None:
    def often(seed: int) -> Written:
        return Written.of(line(f"t{seed}-{run}", "shop", "shop failed", "ERROR") for run in range(20))

    (share,) = error_shares(NOW, often(2), QUIET, often(1))
    assert share.surprise < 0.5


def test_an_operation_that_ends_without_its_line_is_found_where_no_error_tells() -> None:
    now = [one for one in _routine(2) if not (one.service == "mail" and int(one.trace_id[3:]) >= 10)]
    shares = {one.service: one for one in missing_lines(NOW, Written.of(now), QUIET, Written.of(_routine(1)))}
    assert (shares["mail"].hits, shares["mail"].trials, shares["mail"].operation) == (20, 30, "use")
    assert shares["mail"].surprise > 5
    assert shares["shop"].surprise == 0


def test_a_line_that_is_not_always_written_may_be_missing() -> None:
    seldom = [line(f"t1-{run}", "mail", "retried") for run in range(10)]
    shares = missing_lines(NOW, Written.of(_routine(2)), QUIET, Written.of([*_routine(1), *seldom]))
    assert max(one.surprise for one in shares) == 0


def test_lines_of_requests_that_left_no_span_are_passed_over() -> None:
    strange = Written.of([line("elsewhere", "mail", "mail failed", "ERROR")])
    assert error_shares(NOW, strange, QUIET, Written.of([])) == []

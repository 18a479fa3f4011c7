"""Which service is slow by itself, and which end of a slow call is at fault."""

from __future__ import annotations

from tests.tools.analysis.made import chain
from tools.analysis.channels import span_signs
from tools.analysis.spans import gap_laps, self_laps, slowdowns

QUIET = chain(60, 1)


def test_a_service_that_is_slow_by_itself_is_named_and_not_its_callers() -> None:
    now = chain(60, 2, own=lambda service: 5.0 if service == "mail" else 1.0)
    first = max(span_signs(now, QUIET), key=lambda sign: sign.surprise)
    assert (first.service, first.channel) == ("mail", "self time")
    assert first.surprise > 2
    assert 80 < first.now < 120
    assert 18 < first.usual < 22


def test_a_slow_network_is_the_end_that_all_its_callers_see() -> None:
    now = chain(60, 3, gap=lambda service: 30.0 if service == "stock" else 1.0)
    first = max(span_signs(now, QUIET), key=lambda sign: sign.surprise)
    assert (first.service, first.channel) == ("stock", "call gap")
    assert "4 ms" in first.words or "3.9" in first.words or "4.0" in first.words


def test_nothing_is_surprising_where_nothing_changed() -> None:
    assert max(sign.surprise for sign in span_signs(chain(60, 4), QUIET)) < 1.5


def test_what_slows_all_alike_is_nobodys_fault() -> None:
    now = chain(60, 5, own=lambda service: 3.0)
    assert max(sign.surprise for sign in span_signs(now, QUIET)) < 1.5


def test_a_span_that_waits_for_one_call_is_counted_with_the_call() -> None:
    laps = self_laps(QUIET)
    assert {lap.part for lap in laps if lap.service == "shop"} == {"buy"}
    assert {(lap.service, lap.part) for lap in gap_laps(QUIET)} >= {("mail", "shop"), ("door", "shop")}


def test_an_operation_that_ran_too_seldom_is_not_judged() -> None:
    assert slowdowns(self_laps(chain(2, 6)), self_laps(chain(2, 7))) == []

"""People are asked a few things at a time: what is too many is refused in words, and counted across runs."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from runs.models import Approval, Run, Team, ToolCall
from runs.services import drive
from runs.services.calls import PlannedCall
from runs.services.caps import within_caps
from runs.services.leases import Lease
from runs.services.policies import Ruling
from runs.services.teams import seed_defaults
from runs.states import CallStatus, RunState
from tests.runs.making import make_request
from tests.runs.story import TICKET, a_run, claimed, parked

ASKS = Ruling("approve", 1, "approver", "writes need one vote")
RUNS = Ruling("run", 1, "approver", "reading is free")


def _begun(run: Run) -> Lease:
    lease = claimed(run)
    drive.begin(run, lease, [], {})
    return lease


def _move(run: Run, *asked: tuple[Ruling, dict[str, Any]]) -> list[ToolCall]:
    return _planned(run, _begun(run), *asked)


def _planned(run: Run, lease: Lease, *asked: tuple[Ruling, dict[str, Any]]) -> list[ToolCall]:
    calls = [
        PlannedCall(f"r{place}", "create_ticket", args, "write", ruling) for place, (ruling, args) in enumerate(asked)
    ]
    drive.choose_tools(run, lease, calls, rationale="", answer="", hypotheses=[])
    return list(run.calls.order_by("index"))


def _about(service: str, count: int = 1) -> list[tuple[Ruling, dict[str, Any]]]:
    return [(ASKS, TICKET | {"service": service, "title": f"ticket {number}"}) for number in range(count)]


def test_a_move_asks_for_five_things_and_is_told_about_the_rest(team: Team, alice: User) -> None:
    calls = _move(a_run(team, alice), *_about("a", 3), (RUNS, {}), *_about("b", 4))

    assert [call.status for call in calls] == ["proposed"] * 6 + ["refused"] * 2
    assert calls[-1].summary.startswith(
        "Refused by policy: too many requests: 5 of this run wait for people; ask again"
    )


def test_a_service_gets_so_many_requests_an_hour_whichever_run_asks(
    team: Team, other_team: Team, alice: User, mallory: User, settings: Any
) -> None:
    settings.MAX_APPROVALS_PER_SERVICE = 2
    parked(team, alice)
    parked(team, alice)

    (more,) = _move(a_run(team, alice), *_about("checkout"))
    assert more.status == CallStatus.REFUSED
    assert "2 about checkout were made within an hour; conclude without" in more.summary
    assert [call.status for call in _move(a_run(team, alice), *_about("billing"))] == [CallStatus.PROPOSED]
    assert [call.status for call in _move(a_run(other_team, mallory), *_about("checkout"))] == [CallStatus.PROPOSED]


def test_an_hour_later_it_may_ask_again(team: Team, alice: User, settings: Any) -> None:
    settings.MAX_APPROVALS_PER_SERVICE = 1
    parked(team, alice)
    Approval.objects.update(asked_at=timezone.now() - timedelta(minutes=61))

    assert [call.status for call in _move(a_run(team, alice), *_about("checkout"))] == [CallStatus.PROPOSED]


def test_calls_that_are_about_to_be_asked_for_count(team: Team, alice: User, settings: Any) -> None:
    settings.MAX_APPROVALS_PER_SERVICE = 1
    first = a_run(team, alice)
    _move(first, *_about("checkout"))

    assert (first.state, Approval.objects.count()) == (RunState.EXECUTE_TOOL, 0)
    assert [call.status for call in _move(a_run(team, alice), *_about("checkout"))] == [CallStatus.REFUSED]


def test_a_request_in_the_place_of_another_does_not_count_twice(team: Team, alice: User, settings: Any) -> None:
    settings.MAX_APPROVALS_PER_SERVICE = 2
    old = make_request(team, alice)
    new = make_request(team, alice)
    Approval.objects.filter(pk=new.pk).update(replaces=old)

    assert [call.status for call in _move(a_run(team, alice), *_about("orders-api"))] == [CallStatus.PROPOSED]


def test_searching_costs_no_query_for_it(team: Team, alice: User, django_assert_num_queries: Any) -> None:
    run = a_run(team, alice)
    calls = [PlannedCall("r1", "search_logs", {"pattern": "x"}, "read", RUNS)]
    with django_assert_num_queries(0):
        assert [c.ruling for c in calls] == within_caps(run, [(c.ruling, c.args) for c in calls])


@pytest.mark.django_db(transaction=True)
def test_runs_that_plan_at_the_same_moment_count_each_other(settings: Any) -> None:
    settings.MAX_APPROVALS_PER_SERVICE = 3
    team, starter = seed_defaults(), User.objects.create_user("alice")
    begun = [(run, _begun(run)) for run in (a_run(team, starter) for _ in range(8))]

    def plan(run: Run, lease: Lease) -> None:
        try:
            _planned(run, lease, *_about("checkout"))
        finally:
            connection.close()

    threads = [threading.Thread(target=plan, args=each) for each in begun]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ToolCall.objects.filter(status=CallStatus.PROPOSED).count() == 3
    assert ToolCall.objects.filter(status=CallStatus.REFUSED).count() == 5

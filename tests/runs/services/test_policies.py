"""The policy of a team on the calls of a run: whose rules come first, who started it, and what fails closed."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from runs.audit.chain import canonical
from runs.models import Evidence, PolicyRule, Run, Team
from runs.services.policies import Wanted, judge, policy_of, rule_on, rule_on_call, ruling_version, starter_of
from runs.services.teams import add_member
from runs.states import Effect, Role
from tests.runs.making import make_call, make_run
from tests.runs.story import parked


def _rule(team: Team | None, order: int, **columns: Any) -> PolicyRule:
    defaults = {"name": f"rule {order}", "effect": Effect.RUN}
    return PolicyRule.objects.create(team=team, order=order, **{**defaults, **columns})


def test_a_teams_own_rules_come_before_the_installations(team: Team, other_team: Team, alice: User) -> None:
    _rule(team, 900, name="ours", tool="create_ticket", effect=Effect.REFUSE)
    _rule(other_team, 1, name="theirs", tool="create_ticket")

    assert rule_on(make_run(team, alice), "create_ticket", "write").name == "ours"
    assert rule_on(make_run(other_team, None), "create_ticket", "write").name == "theirs"


def test_a_policy_costs_one_query(team: Team, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(3):  # with a savepoint's beginning and end, as in any transaction
        policy_of(team)


def test_sources_and_starter_decide(team: Team, alice: User) -> None:
    _rule(team, 1, name="prod by hand", risk="write", conditions={"environment": ["prod"], "starter": ["operator"]},
          effect=Effect.REFUSE)  # fmt: skip
    prod = [{"name": "shop", "url": "file:///x", "env": "prod"}, {"name": "lab", "url": "file:///y", "env": ""}]

    assert rule_on(make_run(team, alice, sources=prod), "create_ticket", "write").name == "prod by hand"
    assert rule_on(make_run(team, alice), "create_ticket", "write").name == "writes need one vote"
    assert rule_on(make_run(team, None, sources=prod), "create_ticket", "write").name == "writes need one vote"


def test_who_started_it(team: Team, alice: User, admin: User, mallory: User) -> None:
    robot = User.objects.create_user("robot")
    add_member(team, robot, Role.OPERATOR, is_service=True)

    assert starter_of(make_run(team, alice)) == "operator"
    assert starter_of(make_run(team, admin)) == "administrator"
    assert starter_of(make_run(team, robot)) == "service"
    assert starter_of(make_run(team, robot, origin="alert")) == "alert"
    assert starter_of(make_run(team, None)) == "cli"
    assert starter_of(make_run(team, mallory)) == "former"
    alice.is_active = False
    assert starter_of(make_run(team, alice)) == "former"


@pytest.mark.parametrize(
    "columns",
    [
        {"conditions": {"arguments": {"title": {"matches": "(?<=a)b"}}}},
        {"conditions": {"when": "full moon"}},
        {"conditions": ["severity"]},
        {"effect": "allow"},
        {"votes": 0},
        {"expiry_s": 1},
    ],
)
def test_a_policy_with_one_unreadable_rule_fails_closed(team: Team, alice: User, columns: dict[str, Any]) -> None:
    _rule(team, 999, name="never reached", **columns)
    run = make_run(team, alice)

    assert rule_on(run, "search_logs", "read").effect == Effect.RUN
    for risk in ("read_egress", "write", "destructive"):
        ruling = rule_on(run, "anything", risk)
        assert (ruling.effect, ruling.votes, ruling.version) == (Effect.APPROVE, 2, "unreadable")
    assert ruling_version(team) == "unreadable"


def test_a_table_that_cannot_be_read_fails_closed_and_spoils_no_transaction(team: Team, alice: User) -> None:
    run = make_run(team, alice)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE runs_policyrule RENAME TO runs_policyrule_away")

    assert rule_on(run, "create_ticket", "write").votes == 2
    assert make_run(team, alice).pk  # on PostgreSQL nothing more could be written without the savepoint


def test_the_version_is_the_teams_and_changes_with_its_rules(team: Team, other_team: Team) -> None:
    before = ruling_version(team)
    assert before == ruling_version(team) == ruling_version(other_team)

    _rule(other_team, 1)

    assert ruling_version(team) == before != ruling_version(other_team)


def test_the_ruling_is_kept_on_the_call_and_on_its_request(team: Team, alice: User) -> None:
    approval = parked(team, alice)

    assert approval.call.ruling == approval.rule
    assert approval.rule == {
        "effect": "approve", "votes": 1, "role": "approver", "name": "writes need one vote", "expiry_s": None,
        "version": ruling_version(team),
    }  # fmt: skip


def test_a_rule_sets_how_long_its_requests_stay_open(team: Team, alice: User) -> None:
    _rule(team, 1, tool="create_ticket", effect=Effect.APPROVE, expiry_s=1_800)

    approval = parked(team, alice)

    assert (approval.expires_at - approval.asked_at).total_seconds() == 1_800


def test_a_stored_call_is_judged_again_with_its_taint(team: Team, alice: User) -> None:
    _rule(team, 1, risk="write", conditions={"tainted": ["body"]}, effect=Effect.APPROVE, votes=3)
    run = make_run(team, alice)
    marked = make_call(run, taint=[{"argument": "body", "sources": ["E1"], "spans": []}])

    assert rule_on_call(marked).votes == 3
    assert rule_on_call(make_call(run, 1)).votes == 1


def _evidence(run: Run, number: int, text: str) -> None:
    body = canonical({"lines": [text]})
    Evidence.objects.create(
        run=run, number=number, call=make_call(run, 90 + number), status="success", summary="1 line",
        body=zlib.compress(body.encode()), size=len(body), sha256="0" * 64,
    )  # fmt: skip


def _wanted(body: str, risk: str = "write") -> Wanted:
    return Wanted("create_ticket", risk, {"title": "billing is slow", "body": body})


def test_copied_arguments_are_marked_with_results_and_alert(team: Team, alice: User) -> None:
    run = make_run(team, alice, alert={"labels": {"summary": "latency above two seconds"}})
    _evidence(run, 1, "nothing of interest")
    _evidence(run, 2, "pool of 10 exhausted after release 4.18")

    (judged,) = judge(run, [_wanted("It says: latency above two seconds, pool of 10 exhausted.")])

    assert [(mark["argument"], mark["sources"]) for mark in judged.taint] == [("body", ["alert", "E2"])]


def test_the_goal_is_the_starters_own_words_unless_an_alert_wrote_it(team: Team, alice: User) -> None:
    goal = "Why does the checkout page fail?"
    wanted = [_wanted("why does the checkout page fail")]

    for run in (make_run(team, alice, goal=goal), make_run(team, alice, goal=goal, origin="alert")):
        _evidence(run, 1, f"a note repeats it: {goal}")
        sources = [mark["sources"] for mark in judge(run, wanted)[0].taint]
        assert sources == ([["E1", "alert"]] if run.origin == "alert" else [])


def test_searches_are_compared_only_where_a_rule_asks(team: Team, alice: User, django_assert_num_queries: Any) -> None:
    run = make_run(team, alice)
    _evidence(run, 1, "connection not available, timed out")
    search = Wanted("search_logs", "read", {"pattern": "connection not available"})
    with django_assert_num_queries(4):  # the rules within their savepoint, and the starter's role
        assert judge(run, [search])[0].taint == []

    _rule(team, 1, tool="search_*", conditions={"tainted": ["pattern"]}, effect=Effect.REFUSE)

    assert judge(run, [search])[0].ruling.effect == Effect.REFUSE
    assert judge(run, [Wanted("search_logs", "read", {"pattern": "timeout"})])[0].ruling.effect == Effect.RUN


def test_results_are_read_once_whatever_the_number_of_calls(
    team: Team, alice: User, django_assert_num_queries: Any
) -> None:
    run = make_run(team, alice)
    for number in range(1, 6):
        _evidence(run, number, f"line {number}")
    with django_assert_num_queries(5):
        judge(run, [_wanted(f"the body of ticket {number}") for number in range(8)])


def test_what_is_too_much_to_compare_counts_as_copied_from(
    team: Team, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(team, alice)
    _evidence(run, 1, "the oldest result")
    _evidence(run, 2, "the newest result, which is compared")
    monkeypatch.setattr("runs.services.taint.MOST_TEXT", 70)

    (judged,) = judge(run, [_wanted("It shares the newest result, which is compared.")])

    assert [(mark["argument"], mark["sources"]) for mark in judged.taint] == [("title", ["E1"]), ("body", ["E2", "E1"])]

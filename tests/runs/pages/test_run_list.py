"""The list of investigations and the form for a new one."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from runs.models import Run, Team
from runs.presentation.run_list import PAGE_SIZE
from runs.services.actors import Actor
from runs.services.runs import cancel_run, create_run
from tests.runs.pages import stories

SHOP = override_settings(SOURCE_URLS={"data": [("shop", "file:///srv/shop")]})


def _asked(team: Team, starter: User, goal: str) -> Run:
    return create_run(
        goal=goal, team=team, actor=Actor.person(starter), origin="web", sources=stories.SOURCES, leased_to="test"
    ).run  # fmt: skip


def test_the_list_shows_the_answer_where_there_is_one_else_the_goal(as_alice: Client, team: Team, alice: User) -> None:
    story = stories.begin(alice, team, goal="Why are orders slow?")
    _asked(team, alice, "Is search slow?")
    stories.gather(story)
    page = as_alice.get("/").content.decode()
    assert "orders-api runs out of database connections." in page
    assert "Is search slow?" in page


def test_needs_you_is_shown_first_when_something_does(as_alice: Client, team: Team, alice: User) -> None:
    _asked(team, alice, "Is search slow?")
    assert "Is search slow?" in as_alice.get("/").content.decode()
    story = stories.begin(alice, team, goal="Why are orders slow?")
    stories.gather(story)
    stories.ask(story)
    page = as_alice.get("/").content.decode()
    assert "1 needs you" in page
    assert "Waiting for approval" in page
    assert "Is search slow?" not in page


@pytest.mark.parametrize(
    ("tab", "seen"), [("running", "still going"), ("finished", "given up"), ("all", "still going")]
)
def test_a_tab_shows_its_states(as_alice: Client, team: Team, alice: User, tab: str, seen: str) -> None:
    _asked(team, alice, "still going")
    cancel_run(_asked(team, alice, "given up").pk, Actor.person(alice))
    page = as_alice.get(f"/?tab={tab}").content.decode()
    assert seen in page
    if tab != "all":
        assert {"still going": "given up", "given up": "still going"}[seen] not in page


def test_filters_live_in_the_url(as_alice: Client, team: Team, alice: User, bob: User) -> None:
    _asked(team, alice, "Why are orders slow?")
    _asked(team, bob, "Is search slow?")
    assert "search" not in _rows(as_alice, "?tab=all&q=orders")
    assert "orders" not in _rows(as_alice, "?tab=all&starter=bob")
    assert "No runs match" in as_alice.get("/?tab=all&q=nothing+like+it").content.decode()


def test_a_sub_run_stands_under_its_parent_and_in_the_list_only_when_asked_for(
    as_alice: Client, team: Team, alice: User
) -> None:
    parent = _asked(team, alice, "Why are orders slow?")
    create_run(
        goal="Is the pool empty?", team=team, actor=Actor.person(alice), origin="sub", sources=stories.SOURCES,
        parent=parent, place=1, leased_to="test",
    )  # fmt: skip
    for tab in ("all", "running"):
        assert "Is the pool empty?" not in _rows(as_alice, f"?tab={tab}")
        assert f"S1 of #{parent.pk}" in _rows(as_alice, f"?tab={tab}&parts=1")
    page = as_alice.get("/?tab=all").content.decode()
    assert "1 running" in page, "the strip counts what the tabs show"
    assert as_alice.get("/runs/newer?tab=all&after=0").json() == {"new": 1}
    assert as_alice.get("/runs/newer?tab=all&parts=1&after=0").json() == {"new": 2}


def _rows(client: Client, query: str) -> str:
    page = client.get(f"/{query}").content.decode()
    return page[page.index('<ol class="runs') : page.index("</ol>", page.index('<ol class="runs'))]


@pytest.mark.parametrize(
    "query", ["?tab=x", "?before=x", "?before=-1", "?before=" + "9" * 30, "?before=%C2%B2", "?q=%00"]
)
def test_nonsense_in_the_url_is_passed_over(as_alice: Client, team: Team, alice: User, query: str) -> None:
    _asked(team, alice, "Why are orders slow?")
    assert as_alice.get(f"/{query}").status_code == 200


def test_other_teams_runs_are_not_listed(as_mallory: Client, team: Team, alice: User) -> None:
    _asked(team, alice, "Why are orders slow?")
    assert "Why are orders slow?" not in as_mallory.get("/?tab=all").content.decode()
    assert as_mallory.get("/runs/newer?tab=all&after=0").json() == {"new": 0}


def test_nobody_is_sent_to_the_log_in(client: Client, db: None) -> None:
    assert client.get("/").headers["Location"] == "/login/?next=/"


def test_hostile_words_are_escaped(as_alice: Client, team: Team, alice: User) -> None:
    _asked(team, alice, "<script>alert(1)</script> \u202egnp.exe")
    page = as_alice.get("/?tab=all").content.decode()
    assert "<script>alert" not in page
    assert "⟦U+202E⟧" in page


def test_the_list_costs_the_same_however_long_it_is(
    as_alice: Client, team: Team, alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    _asked(team, alice, "the first")
    as_alice.get("/?tab=all")
    # session, person, counts, rows, what waits in them and for whom, stop switch, approvals waiting, role in the admin
    with django_assert_num_queries(11):
        as_alice.get("/?tab=all")
    for place in range(20):
        _asked(team, alice, f"number {place}")
    with django_assert_num_queries(11):
        as_alice.get("/?tab=all")


def test_older_rows_are_reached_by_key_and_none_is_shown_twice(as_alice: Client, team: Team, alice: User) -> None:
    now = timezone.now()
    Run.objects.bulk_create(
        Run(team=team, goal=f"goal {n}.", started_by="user:alice", planner="analyst", as_of=now)
        for n in range(PAGE_SIZE + 5)
    )
    first = as_alice.get("/?tab=all")
    second = as_alice.get(f"/{first.context['next_url']}")
    shown = [run.pk for page in (first, second) for run in page.context["page"].runs]
    assert len(shown) == len(set(shown)) == PAGE_SIZE + 5
    assert second.context["next_url"] == ""


def test_new_rows_are_counted_and_wait(as_alice: Client, team: Team, alice: User) -> None:
    newest = _asked(team, alice, "the first").pk
    _asked(team, alice, "the second")
    assert as_alice.get(f"/runs/newer?tab=all&after={newest}").json() == {"new": 1}
    assert as_alice.get("/runs/newer?tab=all&after=nonsense").json() == {"new": 2}


def test_without_sources_the_page_says_what_to_do(as_alice: Client) -> None:
    with override_settings(SOURCE_URLS={}):
        for url in ("/", "/runs/new"):
            assert "OpsPilot has nothing to read yet" in as_alice.get(url).content.decode()


@SHOP
def test_a_goal_starts_a_run(as_alice: Client) -> None:
    answer = as_alice.post("/runs/new", {"goal": "Why are orders slow?", "sources": ["shop"]})
    run = Run.objects.get()
    assert answer.headers["Location"] == f"/runs/{run.pk}/"
    assert (run.goal, run.started_by, run.sources[0]["name"]) == ("Why are orders slow?", "user:alice", "shop")


@SHOP
@pytest.mark.parametrize(
    ("posted", "words"),
    [
        ({"goal": " ", "sources": ["shop"]}, "Say what to investigate: a goal cannot be empty."),
        ({"goal": "x" * 10_000, "sources": ["shop"]}, "The goal has 10000 characters; at most 4000 fit."),
        ({"goal": "why?", "sources": ["moon"]}, "No source is called moon. Sources: shop."),
        ({"goal": "why?"}, "Choose at least one source to read."),
    ],
)
def test_bad_input_is_answered_in_words_and_kept(as_alice: Client, posted: dict[str, object], words: str) -> None:
    answer = as_alice.post("/runs/new", posted)
    assert answer.status_code == 400
    assert words in answer.content.decode()
    assert str(posted["goal"]).strip() in answer.content.decode()
    assert not Run.objects.exists()


@SHOP
def test_a_person_without_a_team_is_told_so(client: Client, team: Team) -> None:
    client.force_login(User.objects.create_user("lost"))
    answer = client.post("/runs/new", {"goal": "why?", "sources": ["shop"]})
    assert "You are in no team yet" in answer.content.decode()
    assert not Run.objects.exists()


@SHOP
def test_examples_are_made_of_the_services_that_were_met(as_alice: Client, team: Team, alice: User) -> None:
    story = stories.begin(alice, team)
    stories.gather(story)
    stories.conclude(story)
    assert "Why has orders-api been failing" in as_alice.get("/runs/new").content.decode()


@SHOP
def test_an_example_fills_the_field_without_javascript(as_alice: Client) -> None:
    page = as_alice.get("/runs/new", {"goal": "Is checkout healthy again?"}).content.decode()
    assert ">Is checkout healthy again?</textarea>" in page

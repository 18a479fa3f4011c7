"""The page of one run: its order, its words in every state, what one may do there, and that nothing in it acts."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from runs.audit.chain import canonical
from runs.models import Run, Step, Team
from runs.presentation.formats import clock
from runs.presentation.run_page import sent_of
from runs.services import calls as ledger
from runs.services import drive, model_calls, spending
from runs.services.actors import Actor
from runs.services.approvals import decide_approval
from runs.services.runs import add_note, cancel_run, hold_run
from runs.states import RunState, StepKind
from tests.runs.pages import stories
from tests.runs.pages.stories import Story

HOSTILE = "<img src=x onerror=alert(1)> \u202egnp.exe"


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    cache.clear()


@pytest.fixture
def planning(alice: User, team: Team) -> Story:
    story = stories.begin(alice, team)
    stories.gather(story)
    return story


@pytest.fixture
def waiting(planning: Story) -> Story:
    stories.ask(planning)
    return planning


@pytest.fixture
def done(planning: Story) -> Story:
    stories.conclude(planning)
    return planning


def page_of(client: Client, story: Story, tail: str = "") -> str:
    answer = client.get(f"/runs/{story.run.pk}/{tail}")
    assert answer.status_code == 200
    return answer.content.decode()


def assert_in_order(page: str, *words: str) -> None:
    place = 0
    for word in words:
        place = page.find(word, place)
        assert place >= 0, f"{word!r} does not stand behind what comes before it"


def test_a_finished_run_reads_from_answer_to_audit(as_alice: Client, done: Story) -> None:
    assert_in_order(
        page_of(as_alice, done), "Likely cause", "SEV2", "ran out of database connections", "Still happening",
        "5 of 6 facts hold", "Why <em>likely, not confirmed", "Do next", "kubectl rollout undo", "Not done by OpsPilot",
        "Picture", "db_pool_pending", "What happened", "Claims", "number matches", "not in evidence", "Ruled out",
        "Evidence", "How it got there", "Cycle 1", "Not checked", "State machine", "Budget", "Sources and freshness",
        "What was sent to the model", "chain intact, 17 steps",
    )  # fmt: skip


def test_a_waiting_run_says_who_may_decide_and_never_decides_here(
    as_alice: Client, as_bob: Client, waiting: Story
) -> None:
    page = page_of(as_alice, waiting)
    assert_in_order(
        page, "Waiting for approval", "Best guess so far, may change", "Create a ticket", "Nothing has happened yet.",
        "You started this run; bob can", "Review request", "Hypotheses", "Supported", "Open", "Ruled out", "Timeline",
    )  # fmt: skip
    assert "/decide" not in page
    assert "You may vote." in page_of(as_bob, waiting)


def test_before_there_is_an_answer_the_page_says_what_happens(as_alice: Client, alice: User, team: Team) -> None:
    story = stories.begin(alice, team)
    assert "Reading what the sources hold" in page_of(as_alice, story)


def test_before_there_is_an_answer_the_headline_says_what_is_looked_at(
    as_alice: Client, alice: User, team: Team
) -> None:
    story = stories.begin(alice, team)
    stories.look(story)
    page = page_of(as_alice, story)
    assert "<h1>Looking at error logs of orders-api in the last 5 hours</h1>" in page


def test_the_page_refreshes_itself_without_javascript_only_while_it_runs(
    as_alice: Client, planning: Story, alice: User, team: Team
) -> None:
    refresh = '<noscript><meta http-equiv="refresh" content="10"></noscript>'
    assert refresh in page_of(as_alice, planning)
    stories.conclude(planning)
    assert refresh not in page_of(as_alice, planning)


def test_a_failed_run_says_what_is_safe(as_alice: Client, planning: Story) -> None:
    drive.fail(planning.run, planning.lease, "no_answer", "The planner answered with nothing usable.")
    page = page_of(as_alice, planning)
    assert_in_order(page, "OpsPilot failed", "nothing usable", "no_answer", "Nothing outside was changed.")


def test_a_cancelled_run_keeps_what_it_found(as_alice: Client, planning: Story, alice: User) -> None:
    cancel_run(planning.run.pk, Actor.person(alice), "not needed")
    assert_in_order(
        page_of(as_alice, planning), "Cancelled", "the best guess until then", "2,025 lines match", "not needed"
    )


def test_a_held_run_names_the_person_and_the_reason(as_alice: Client, planning: Story, alice: User) -> None:
    hold_run(planning.run.pk, Actor.person(alice), "waiting for the release")
    assert_in_order(page_of(as_alice, planning), "Held by alice", "Release it", "waiting for the release")


@pytest.mark.usefixtures("unguarded")
def test_a_damaged_chain_is_said_on_the_page(as_alice: Client, done: Story) -> None:
    Step.objects.filter(run=done.run, seq=5).update(actor="user:mallory")
    assert "chain broken: run" in page_of(as_alice, done)


def test_hostile_text_is_shown_and_does_nothing(as_alice: Client, alice: User, team: Team) -> None:
    planning = stories.begin(alice, team, goal=HOSTILE)
    stories.gather(planning)
    add_note(planning.run.pk, Actor.system(), HOSTILE)
    planning.run.refresh_from_db()
    claim = stories.claims(planning)[1] | {"statement": HOSTILE, "quote": HOSTILE, "evidence": "E1"}
    actions = [{"text": HOSTILE, "undo": HOSTILE, "command": HOSTILE}]
    stories.conclude(
        planning, summary=HOSTILE, claims=[claim], actions=actions, affected=[HOSTILE], did_not_hold=[claim]
    )
    page = page_of(as_alice, planning)
    assert "<img" not in page.replace('<img src="/static/icons/favicon.svg"', "")
    assert "\u202e" not in page
    assert "⟦U+202E⟧" in page


def test_no_inline_style_or_script_and_nothing_from_elsewhere(as_alice: Client, waiting: Story) -> None:
    page = page_of(as_alice, waiting)
    assert " style=" not in page
    assert " on" + "click=" not in page
    assert "<script>" not in page
    assert 'src="http' not in page
    assert 'href="http' not in page


def test_the_live_parts_are_the_pages_own(as_alice: Client, waiting: Story) -> None:
    page, parts = page_of(as_alice, waiting), page_of(as_alice, waiting, "top")
    for name in ("bar", "pills", "answer", "needs", "next", "picture", "findings", "folds"):
        assert f'data-part="{name}"' in page
        assert f'data-part="{name}"' in parts


def test_the_page_costs_the_same_however_long_the_run_is(
    as_alice: Client, planning: Story, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(30):
        add_note(planning.run.pk, Actor.system(), "again")
    with django_assert_max_num_queries(14):
        page_of(as_alice, planning)


def test_the_budget_says_what_the_runs_one_may_see_spent_today(
    as_alice: Client, client: Client, admin: User, planning: Story, other_team: Team, mallory: User, settings: Any
) -> None:
    settings.DAILY_MICRO_USD = 20_000_000
    theirs = stories.begin(mallory, other_team).run
    for run, spent in ((planning.run, 230_000), (theirs, 1_000_000)):
        Run.objects.filter(pk=run.pk).update(cost_micro_usd=spent)
        assert spending.reserve(spent)
        spending.settle(spent, spent)

    client.force_login(admin)
    assert _today(as_alice, planning, "your teams' runs") == ["$0.23", "$20.00"]
    assert _today(client, planning, "all runs") == ["$1.23", "$20.00"]
    assert "$0.23 of $20.00 today" in as_alice.get("/").content.decode()
    assert "$1.23 of $20.00 today" in client.get("/").content.decode()


def test_what_was_sent_says_how_many_secrets_were_hidden() -> None:
    texts = [{"role": "user", "text": "key «secret:aws:12ab» and «secret:mail:34cd»"}, {"role": "user", "text": "E1"}]
    step = Step(seq=3, kind=StepKind.MODEL_CALL, body=canonical({"sent": {"model": "m", "bytes": 1_200, "new": texts}}))
    assert sent_of(step, step.payload).facts == "m · 1,200 bytes · 2 secrets hidden"


def test_a_price_that_is_not_known_is_never_said_to_be_nothing(as_alice: Client, planning: Story) -> None:
    Run.objects.filter(pk=planning.run.pk).update(cost_known=False)
    assert page_of(as_alice, planning).count("price not known") == 3  # the budget's title, its row, the day's
    assert "price not known of" in as_alice.get("/").content.decode()
    assert "<span>price not known</span>" in as_alice.get("/?tab=all").content.decode()
    Run.objects.filter(pk=planning.run.pk).update(cost_micro_usd=120_000)
    assert page_of(as_alice, planning).count("$0.12 or more") == 3


def _today(client: Client, story: Story, whose: str) -> list[str]:
    page = html.unescape(page_of(client, story))
    row = page[page.index(f"money of {whose} today") :]
    return re.findall(r"\$[\d.]+", row)[:2]


@pytest.mark.parametrize("tail", ["", "top", "report.html", "report.md", "report.json", "evidence/E1"])
def test_a_run_of_another_team_does_not_exist(as_mallory: Client, planning: Story, tail: str) -> None:
    answer = as_mallory.get(f"/runs/{planning.run.pk}/{tail}")
    assert answer.status_code == 404
    assert "orders-api" not in answer.content.decode()


@pytest.mark.parametrize("url", ["/runs/999999/", "/runs/99999999999999999999999/", "/runs/1/evidence/E0", "/runs/x/"])
def test_what_does_not_exist_is_not_found(as_alice: Client, url: str) -> None:
    assert as_alice.get(url).status_code == 404


@pytest.mark.parametrize("verb", ["cancel", "hold", "release", "note", "start"])
def test_steering_another_teams_run_is_not_found_and_by_link_not_possible(
    as_mallory: Client, as_alice: Client, planning: Story, verb: str
) -> None:
    before = Run.objects.get(pk=planning.run.pk).n_steps
    assert as_mallory.post(f"/runs/{planning.run.pk}/{verb}", {"words": "x"}).status_code == 404
    assert as_alice.get(f"/runs/{planning.run.pk}/{verb}").status_code == 405
    assert Run.objects.get(pk=planning.run.pk).n_steps == before


def test_the_owner_cancels(as_alice: Client, planning: Story) -> None:
    answer = as_alice.post(f"/runs/{planning.run.pk}/cancel", {"words": "not needed"}, follow=True)
    assert "Cancelled. What it found stays below." in answer.content.decode()
    assert Run.objects.get(pk=planning.run.pk).state == RunState.CANCELLED


def test_an_operator_does_not_cancel_another_persons_run(bob: User, team: Team, as_alice: Client) -> None:
    story = stories.begin(bob, team)
    answer = as_alice.post(f"/runs/{story.run.pk}/cancel")
    assert answer.status_code == 403
    assert "Only bob, approvers and administrators may do that." in answer.content.decode()
    assert Run.objects.get(pk=story.run.pk).state == RunState.PLAN


def test_hold_and_release(as_alice: Client, planning: Story) -> None:
    as_alice.post(f"/runs/{planning.run.pk}/hold", {"words": "the release"})
    assert Run.objects.get(pk=planning.run.pk).hold_reason == "the release"
    as_alice.post(f"/runs/{planning.run.pk}/release")
    assert Run.objects.get(pk=planning.run.pk).hold_reason == ""


def test_a_note_is_kept_and_an_empty_one_refused_in_words(as_alice: Client, planning: Story) -> None:
    as_alice.post(f"/runs/{planning.run.pk}/note", {"words": "look at the pool"})
    assert "look at the pool" in page_of(as_alice, planning)
    answer = as_alice.post(f"/runs/{planning.run.pk}/note", {"words": " "}, follow=True)
    assert "A note has 1 to 4,000 characters." in answer.content.decode()


def test_steering_an_ended_run_is_refused_in_words(as_alice: Client, done: Story) -> None:
    answer = as_alice.post(f"/runs/{done.run.pk}/hold", {"words": "x"}, follow=True)
    assert "has ended" in answer.content.decode()


def test_a_form_without_its_token_is_refused(alice: User, planning: Story) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.post(f"/runs/{planning.run.pk}/cancel").status_code == 403
    assert Run.objects.get(pk=planning.run.pk).state == RunState.PLAN


def test_a_run_that_was_not_started_has_a_button_to_start_it(as_alice: Client, alice: User, team: Team) -> None:
    run = stories.created(alice, team, start=False)
    page = as_alice.get(f"/runs/{run.pk}/").content.decode()
    assert "Not started yet" in page
    assert f'action="/runs/{run.pk}/start"' in page
    assert "Waiting for a worker" not in page
    assert "Release it" not in page
    assert b"Not started" in as_alice.get("/?tab=all").content
    page = as_alice.post(f"/runs/{run.pk}/start", follow=True).content.decode()
    assert "Waiting for a worker" in page
    assert Run.objects.get(pk=run.pk).hold_reason == ""


def test_only_who_may_steer_a_run_starts_it(as_alice: Client, bob: User, team: Team) -> None:
    run = stories.created(bob, team, start=False)
    assert f'action="/runs/{run.pk}/start"' not in as_alice.get(f"/runs/{run.pk}/").content.decode()
    assert as_alice.post(f"/runs/{run.pk}/start").status_code == 403
    assert as_alice.get(f"/runs/{run.pk}/start").status_code == 405
    assert Run.objects.get(pk=run.pk).is_not_started


def test_a_retry_says_when_and_why_on_page_and_list(as_alice: Client, planning: Story) -> None:
    until = timezone.now() + timedelta(minutes=2)
    model_calls.hold_for_retry(planning.run, planning.lease, until, "The model answered 529.", attempt=2)
    words = clock(until, seconds=True)
    page = page_of(as_alice, planning)
    assert f"Retrying {words} · attempt 3" in page
    assert f"Tries again {words}: The model answered 529." in page
    listed = as_alice.get("/?tab=all").content.decode()
    assert f"Retrying {words} · attempt 3" in listed
    assert "The model answered 529." in listed


def test_a_failed_run_lists_what_was_sent_outside_and_what_to_do(as_alice: Client, waiting: Story, bob: User) -> None:
    call = waiting.run.calls.get(tool="create_ticket")
    approval = waiting.run.approvals.get()
    decide_approval(approval.pk, user=bob, approve=True, args_sha256=approval.args_sha256)
    waiting.run.refresh_from_db()
    call.refresh_from_db()
    ledger.start_call(waiting.run, waiting.lease, call)
    drive.fail(waiting.run, waiting.lease, "poison", "3 processes died while they drove this run.")
    page = page_of(as_alice, waiting)
    assert "Something outside may have been changed." in page
    assert "create_ticket: was under way when the run ended" in page
    assert "Nothing outside was changed" not in page
    assert "Do not start it again as it is" in page
    assert "Start it again…" not in page
    markdown = as_alice.get(f"/runs/{waiting.run.pk}/report.md").content.decode()
    assert "Something outside may have been changed." in markdown
    assert "3 processes died" in markdown


def test_a_failed_run_that_sent_nothing_can_be_started_again(as_alice: Client, planning: Story) -> None:
    drive.fail(planning.run, planning.lease, "model_misconfigured", "The key is refused.")
    page = page_of(as_alice, planning)
    assert_in_order(
        page, "The key is refused.", "Nothing outside was changed.", "correct the key", "/runs/new?goal=Inv"
    )

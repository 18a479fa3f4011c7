"""A further question about an ended run: a run of its own that knows the answer, shown on the page of the first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from runs.models import Run, Step, Team
from runs.services.actors import Actor
from runs.services.errors import Refused
from runs.services.runs import add_note, ask_further, cancel_run
from tests.agent.claude.cases import texts_of
from tests.flows.incident import write_incident
from tests.standins.messages_api import messages_api
from tests.trust.thinking import a_run, drive, looks, reports, think_with

pytestmark = pytest.mark.django_db(transaction=True)

FOUND = reports(summary="Release 2.4.0 cut the pool of billing.")


@pytest.fixture
def run(team: Team, alice: User, tmp_path: Path) -> Run:
    return a_run(team, alice, write_incident(tmp_path / "incident"), goal="Why does billing time out?")


def test_a_note_is_read_at_the_next_plan_and_stands_in_the_log(
    run: Run, alice: User, settings: Any, tmp_path: Path
) -> None:
    away = {"fault": "status", "status": 503, "type": "api_error"}
    with messages_api(tmp_path, [looks(), away, FOUND]) as api:
        think_with(settings, api.url)
        drive(run)
        add_note(run.pk, Actor.person(alice), "It began with the deploy.")
        Run.objects.filter(pk=run.pk).update(hold_reason="", hold_until=None)
        ended = drive(run).run
        told = texts_of(api.bodies[-1]["messages"][-1])
    assert ended.state == "DONE"
    assert told[-1] == "Note from alice, who watches this run: It began with the deploy."
    assert Step.objects.get(run=run, kind="note").payload == {"text": "It began with the deploy."}


def test_a_further_question_is_a_linked_run_that_knows_the_answer(
    run: Run, as_alice: Client, settings: Any, tmp_path: Path
) -> None:
    with messages_api(tmp_path, [FOUND, looks(), reports(summary="Two customers were affected.")]) as api:
        think_with(settings, api.url)
        drive(run)
        page = as_alice.get(f"/runs/{run.pk}/").content.decode()
        assert "A question about this" in page
        asked = as_alice.post(f"/runs/{run.pk}/ask", {"words": "Which customers?"})
        further = Run.objects.get(follows=run)
        assert asked.headers["Location"] == f"/runs/{further.pk}/"
        drive(further)
        case = texts_of(api.bodies[1]["messages"][2])[0]
    assert "an earlier run found:" in case and "Release 2.4.0 cut the pool of billing." in case
    further.refresh_from_db()
    assert (further.sources, further.as_of, further.planner) == (run.sources, run.as_of, "claude")
    assert Step.objects.get(run=further, seq=1).payload["follows"] == run.pk
    page = as_alice.get(f"/runs/{run.pk}/").content.decode()
    assert "Which customers?" in page and "Two customers were affected." in page
    assert f'Goes on from <a href="/runs/{run.pk}/">' in as_alice.get(f"/runs/{further.pk}/").content.decode()


def test_a_run_that_goes_on_is_told_by_a_note_instead(run: Run, as_alice: Client, alice: User) -> None:
    with pytest.raises(Refused, match="add a note"):
        ask_further(run.pk, Actor.person(alice), "Which customers?")
    assert "A question about this" not in as_alice.get(f"/runs/{run.pk}/").content.decode()


def test_nobody_else_asks_further(run: Run, as_mallory: Client, alice: User) -> None:
    cancel_run(run.pk, Actor.person(alice))
    assert as_mallory.post(f"/runs/{run.pk}/ask", {"words": "Which customers?"}).status_code == 404
    assert Run.objects.count() == 1


def test_what_was_sent_to_the_model_can_be_read(run: Run, as_alice: Client, settings: Any, tmp_path: Path) -> None:
    with messages_api(tmp_path, [looks(), FOUND]) as api:
        think_with(settings, api.url)
        ended = drive(run).run
        first, second = api.bodies
    page = as_alice.get(f"/runs/{run.pk}/").content.decode()
    assert ended.prompt_version and f"Prompt {ended.prompt_version}" in page
    assert "You are OpsPilot&#x27;s investigator." in page and page.count("Goal: Why does billing time out?") == 1
    calls = [step.payload["sent"] for step in Step.objects.filter(run=run, kind="model_call").order_by("seq")]
    assert [text["text"] for text in calls[1]["new"]] == texts_of(second["messages"][-1]), "only what is new"
    assert [text["text"] for text in calls[0]["new"]] == [
        first["system"][0]["text"], *texts_of(first["messages"][0]), *texts_of(first["messages"][2]),
    ]  # fmt: skip
    assert "from the cache), " in page, "the line says what was read from the cache"

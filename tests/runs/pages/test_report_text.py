"""What the Markdown report leaves to the page, and what it does not say where nothing was wrong."""

from __future__ import annotations

from django.contrib.auth.models import User

from runs.models import Team
from runs.presentation.report_text import report_markdown, still_happening
from runs.states import Outcome
from tests.runs.pages import stories


def test_an_evidence_line_ends_at_the_first_semicolon_of_its_summary(alice: User, team: Team) -> None:
    story = stories.begin(alice, team)
    stories.gather(story)
    stories.conclude(story)
    story.run.evidence.filter(number=1).update(summary="12 lines; the first kind; the second kind")

    text = report_markdown(story.run)
    assert "12 lines ·" in text
    assert "the second kind" not in text


def test_where_nothing_was_wrong_nothing_is_over(alice: User, team: Team) -> None:
    run = stories.begin(alice, team).run
    report = {"still_happening": {"ongoing": False, "latest": "0.3 %", "normal": "0.2–0.8 %"}}
    assert still_happening(run, report).startswith("over at")
    run.outcome = Outcome.NO_FAULT
    assert still_happening(run, report) == ""

"""What a reader checks a run by: its stored evidence with the cited bytes marked, and the report to take away."""

from __future__ import annotations

import html
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.test import Client

from runs.models import Run, Team
from runs.presentation.exhibit import find
from runs.presentation.report_text import chat_text, code, inline, report_markdown
from runs.services.actors import Actor
from runs.services.runs import cancel_run
from tests.runs.pages import stories
from tests.runs.pages.stories import LINE, Story


@pytest.fixture
def done(alice: User, team: Team) -> Story:
    story = stories.begin(alice, team)
    stories.gather(story)
    stories.conclude(story)
    return story


def shown(client: Client, story: Story, name: str, **marks: str) -> str:
    answer = client.get(f"/runs/{story.run.pk}/evidence/{name}?{urlencode(marks)}")
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_quote_is_marked_where_it_stands(as_alice: Client, done: Story) -> None:
    page = shown(as_alice, done, "E1", quote=LINE)
    assert "data.templates[0].example" in page or "data.matches[0].message" in page
    assert f'pool-1 - <mark id="mark">{LINE}</mark>' in page
    assert f"<mark>{LINE}</mark>" in page


def test_a_quote_that_does_not_stand_there_is_said(as_alice: Client, done: Story) -> None:
    page = shown(as_alice, done, "E1", quote="<b>No space left</b>")
    assert "These words do not stand in E1" in page
    assert "<b>No space" not in page


def test_a_diff_is_quoted_too(as_alice: Client, done: Story) -> None:
    assert '<mark id="mark">+DB_POOL_MAX: 10</mark>' in shown(as_alice, done, "E3", quote="+DB_POOL_MAX: 10")


def test_a_cited_number_is_marked_among_its_neighbours(as_alice: Client, done: Story) -> None:
    page = shown(as_alice, done, "E2", figure="orders-api db_pool_pending", at=done.at(1))
    assert page.count('class="is-marked"') == 2  # the series' row, and the point of that minute
    assert "orders-api db_pool_pending around" in page


def test_a_kind_of_line_takes_the_whole_width_of_a_phone(as_alice: Client, done: Story) -> None:
    page = shown(as_alice, done, "E1")
    assert '<table class="table small table--long">' in page
    assert '<td class="long">' in page


def test_a_search_that_found_nothing_says_so_and_shows_its_query(as_alice: Client, done: Story) -> None:
    page = shown(as_alice, done, "E4")
    assert "Searched, nothing found." in page
    assert "&quot;callee&quot;: &quot;orders-api&quot;" in page


def test_opened_in_place_it_is_the_same_without_the_frame(as_alice: Client, done: Story) -> None:
    part = shown(as_alice, done, "E1", part="1")
    assert "<html" not in part
    assert LINE in part


def test_a_quote_is_found_wherever_it_stands() -> None:
    found = find({"a": [{"b": "x" * 300 + "needle" + "y" * 300}]}, "needle")
    assert found is not None
    assert (found.path, found.quote) == ("data.a[0].b", "needle")
    assert found.before.startswith("…x") and found.behind.endswith("y…")
    assert find({"a": ["hay"]}, "needle") is None


def test_the_markdown_holds_the_answer_its_claims_and_its_footer(done: Story) -> None:
    text = report_markdown(done.run)
    for part in (
        "# orders-api ran out of database connections", "(SEV2)", "**◑ Likely cause**", "## Do next",
        "*Not done by OpsPilot.*",
        f"| ✓ quote found: `{LINE}` | E1 |", "∴ inference from C1, C2, C3", "~~The disk of the database is full~~",
        "- **R1 search-api 2.9.1**", "## Not checked", "E1 search_logs · shop:logs", "audit chain intact, 17 steps",
    ):  # fmt: skip
        assert part in text


def test_a_run_without_a_report_still_says_where_it_stands(alice: User, team: Team) -> None:
    story = stories.begin(alice, team)
    assert "There is no report yet." in report_markdown(story.run)
    stories.gather(story)
    assert "Best guess so far, may change: orders-api runs out" in report_markdown(story.run)
    cancel_run(story.run.pk, Actor.person(alice))
    story.run.refresh_from_db()
    assert "**– Cancelled**" in report_markdown(story.run)


def test_the_report_is_one_file_that_needs_nothing_else(as_alice: Client, done: Story) -> None:
    Run.objects.filter(pk=done.run.pk).update(goal="<script>alert(1)</script> why?")
    answer = as_alice.get(f"/runs/{done.run.pk}/report.html")
    assert answer["Content-Disposition"] == f'attachment; filename="opspilot-run-{done.run.pk}.html"'
    text = answer.content.decode()
    assert "orders-api ran out of database connections" in text and "✓" not in text  # its icons are drawn
    assert LINE in html.unescape(text) and "<svg viewBox" in text
    assert "<script>alert" not in text and 'href="/static' not in text and "src=" not in text
    assert '<base href="http://testserver/">' in text and "default-src 'none'" in text


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("[click](http://evil.example)", "\\[click\\](http://evil.example)"),
        ("<img src=x>", "\\<img src=x\\>"),
        ("a | b\nc", "a \\| b c"),
        ("# not a heading", "# not a heading"),
        ("x\u202ey", "x⟦U+202E⟧y"),
    ],
)
def test_text_from_outside_does_nothing_in_markdown(text: str, safe: str) -> None:
    assert inline(text) == safe


@pytest.mark.parametrize(("text", "span"), [("a", "`a`"), ("a`b", "``a`b``"), ("`a", "`` `a ``"), ("a|b", "`a¦b`")])
def test_a_code_span_holds_any_text(text: str, span: str) -> None:
    assert code(text) == span


def test_the_text_for_a_chat_is_six_lines_at_most(done: Story) -> None:
    lines = chat_text(done.run, "http://127.0.0.1:8320/runs/1/").splitlines()
    assert len(lines) == 6
    assert lines[0] == "◑ Likely cause SEV2"
    assert lines[-1].endswith("/runs/1/")


def test_the_report_is_served_as_text_and_as_json(as_alice: Client, done: Story) -> None:
    text = as_alice.get(f"/runs/{done.run.pk}/report.md")
    assert text.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert text.headers["X-Content-Type-Options"] == "nosniff"
    body = as_alice.get(f"/runs/{done.run.pk}/report.json").json()
    assert (body["state"], body["outcome"], body["report"]["severity"]) == ("DONE", "LIKELY", "SEV2")

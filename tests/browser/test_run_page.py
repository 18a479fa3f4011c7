"""A finished run's page: evidence that opens in place, anchors, copying, printing, and the report as text."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import People


def test_a_claim_opens_its_evidence_in_place_with_the_quoted_words_marked(people: People, finished_run: int) -> None:
    alice = people("alice")
    page = alice.go(f"/runs/{finished_run}/")
    alice.stay()
    claim = page.locator(".claims:not(.claims--evidence) .claim", has_text="quote found").first

    claim.locator("summary").click()

    expect(claim.locator("article.evidence mark").first).to_be_visible()
    expect(claim.locator("article.evidence")).to_contain_text("sha256")
    assert alice.has_stayed


def test_a_link_to_an_evidence_opens_it(people: People, finished_run: int) -> None:
    page = people("alice").go(f"/runs/{finished_run}/#E2")

    expect(page.locator("#E2 article.evidence")).to_be_visible()
    expect(page.locator("#E2")).to_be_in_viewport()


def test_the_charts_take_over_from_the_drawing_with_one_cursor(people: People, finished_run: int) -> None:
    page = people("alice").go(f"/runs/{finished_run}/")
    lanes = page.locator(".lane--line .lane__plot")
    expect(lanes.first.locator("canvas")).to_be_visible()

    lanes.first.hover()

    for place in range(lanes.count()):
        expect(page.locator(".lane--line .lane__value").nth(place)).to_contain_text(re.compile(r"\d\d:\d\d +[\d.,]+"))


def test_the_report_is_had_as_markdown_and_as_json(people: People, finished_run: int) -> None:
    alice = people("alice")
    page = alice.go(f"/runs/{finished_run}/")
    answer = page.locator(".answer h1").text_content() or ""

    markdown = alice.context.request.get(f"{alice.url}/runs/{finished_run}/report.md")
    report = alice.context.request.get(f"{alice.url}/runs/{finished_run}/report.json").json()

    assert markdown.headers["content-type"] == "text/plain; charset=utf-8"  # so that a browser shows it
    assert "## Claims" in markdown.text() and "## Ruled out" in markdown.text()
    assert report["report"]["summary"] == answer.strip()
    assert page.locator(".claims:not(.claims--evidence) .claim").count() == len(report["report"]["claims"])


def test_the_command_of_a_next_step_and_the_chat_text_are_copied(people: People, finished_run: int) -> None:
    alice = people("alice", permissions=["clipboard-read", "clipboard-write"])
    page = alice.go(f"/runs/{finished_run}/")

    page.locator(".bar__menu > summary").click()
    page.get_by_role("button", name="Copy for chat").click()

    expect(page.locator(".bar__menu").get_by_text("Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert f"/runs/{finished_run}/" in copied
    assert len(copied.strip().splitlines()) <= 6

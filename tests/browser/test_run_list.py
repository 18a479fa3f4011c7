"""The list of investigations by keyboard alone."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser import story
from tests.browser.conftest import People


def test_the_list_is_searched_walked_and_opened_by_keys(people: People, finished_run: int, waiting_run: int) -> None:
    page = people("alice").go("/?tab=all")
    rows = page.locator("[data-row]")
    expect(rows.nth(1)).to_be_visible()

    page.keyboard.press("j")
    expect(rows.nth(0)).to_have_class(re.compile("is-picked"))
    page.keyboard.press("j")
    expect(rows.nth(1)).to_have_class(re.compile("is-picked"))
    page.keyboard.press("k")
    expect(rows.nth(0)).to_have_class(re.compile("is-picked"))
    target = rows.nth(0).locator("a").first.get_attribute("href")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(f"{target}$"))

    page.go_back()
    page.keyboard.press("/")
    page.keyboard.type("no such investigation njk")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="No runs match")).to_be_visible()
    assert "q=no+such+investigation+njk" in page.url

    page.keyboard.press("n")
    page.wait_for_url(re.compile("/runs/new$"))
    expect(page.get_by_label("What should be investigated?")).to_be_focused()


def test_a_run_that_somebody_else_starts_waits_behind_a_button(people: People, finished_run: int) -> None:
    alice, bob = people("alice"), people("bob")
    alice.page.clock.install()
    page = alice.go("/?tab=all")
    first = page.locator("[data-row]").first.locator("a").first.get_attribute("href")

    run = story.start_run(bob, "Why is checkout slow?")
    page.clock.fast_forward(15_000)

    expect(page.locator("[data-newer]")).to_have_text("1 new")
    assert page.locator("[data-row]").first.locator("a").first.get_attribute("href") == first
    page.locator("[data-newer]").click()
    expect(page.locator("[data-row]").first.locator("a").first).to_have_attribute("href", f"/runs/{run}/")

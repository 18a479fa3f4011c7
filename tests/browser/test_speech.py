"""What a planner says while it thinks stands on the open page, and gives way to its step."""

from __future__ import annotations

from urllib.parse import quote

import redis
from playwright.sync_api import Page, expect

from runs.live import CHANNEL, Delta
from tests.browser import story
from tests.browser.conftest import People
from tests.browser.stack import Stack


def _say(stack: Stack, page: Page, offset: int, text: str) -> None:
    """As a worker of the stack does."""
    run = int(page.locator("#run").get_attribute("data-run") or 0)
    seq = page.locator("#timeline .line:not(#speaking)").last.get_attribute("data-seq")
    address = f"unix://{quote(str(stack.folder / 'data' / 'redis' / 'redis.sock'))}?db=0"
    redis.Redis.from_url(address).publish(CHANNEL, Delta(run, int(seq or 0) + 1, offset, text).as_json())


def test_words_appear_while_they_come_and_give_way_to_the_step(people: People, stack: Stack) -> None:
    alice, bob = people("alice"), people("bob")
    run = story.start_run(alice)
    story.wait_until_asked(alice)
    page = alice.page
    expect(page.locator("#live")).to_have_text("Live")
    spoken = page.locator("#speaking .line__text")

    _say(stack, page, 0, "Which service <b>failed</b> first, ")
    expect(spoken).to_have_text("Which service <b>failed</b> first, ")
    _say(stack, page, 35, "and what did it wait for? ")
    expect(spoken).to_have_text("Which service <b>failed</b> first, and what did it wait for? ")
    _say(stack, page, 90, "a piece whose beginning was lost ")
    expect(spoken).to_have_text("Which service <b>failed</b> first, and what did it wait for? ")

    bobs = bob.go(f"/runs/{run}/")
    bobs.locator(".bar__menu summary").click()
    bobs.get_by_label("Add a note").fill("It began with the deploy.")
    bobs.get_by_role("button", name="Add the note").click()
    expect(page.locator("#timeline").get_by_text("It began with the deploy.")).to_be_visible()
    expect(page.locator("#speaking")).to_have_count(0)

"""What a live page shows after its server, its network or Redis went away for a while: everything, once, in order."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser import story
from tests.browser.conftest import People
from tests.browser.stack import Stack

AWAY = ("WebSocket connection to", "Failed to load resource: net::ERR_")


def test_a_page_whose_server_is_killed_while_it_watches_loses_no_step(people: People, stack: Stack) -> None:
    alice = people("alice")
    alice.expect_complaints(*AWAY)
    story.start_run(alice)
    alice.stay()
    expect(alice.page.locator("#timeline .line.is-new").first).to_be_attached()

    stack.kill("manage.py web")

    expect(alice.page.locator("#live")).to_contain_text("Reconnecting")
    story.wait_until_asked(alice)
    expect(alice.page.locator("#live")).to_have_text("Live")
    assert alice.has_stayed
    story.assert_nothing_lost(alice)


def test_what_happens_while_network_and_redis_are_away_is_shown_when_they_return(people: People, stack: Stack) -> None:
    alice, bob = people("alice"), people("bob")
    alice.expect_complaints(*AWAY)
    run = story.reach_approval(alice)
    alice.stay()

    alice.context.set_offline(True)
    stack.kill("redis-server")
    story.decide_in_admin(bob, run)
    bob.go(f"/runs/{run}/")
    story.wait_until_finished(bob)
    alice.context.set_offline(False)

    story.wait_until_finished(alice)
    expect(alice.page.locator(".action--done")).to_contain_text("Ticket T-")
    assert alice.has_stayed
    story.assert_nothing_lost(alice)

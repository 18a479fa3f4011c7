"""The main story in two real windows: alice starts and watches, bob decides in the admin, nobody reloads."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser import story
from tests.browser.conftest import People


def test_a_run_is_started_watched_approved_by_another_person_and_finished_without_a_reload(people: People) -> None:
    alice = people("alice", stranger=True)
    story.log_in(alice)

    run = story.start_run(alice)
    page = alice.page
    alice.stay()
    expect(page.locator("#live")).to_have_text("Live")
    expect(page.locator("#timeline .line.is-new").first).to_be_attached()
    story.wait_until_asked(alice)
    expect(page.locator(".pill--current")).to_have_text("Approval")
    expect(page).to_have_title(re.compile("^✋ "))
    assert page.locator("#favicon").get_attribute("href").endswith("favicon-hand.svg")
    expect(page.locator("[data-part=needs]")).to_contain_text("Nothing has happened yet")

    story.decide_in_admin(people("bob"), run)

    story.wait_until_finished(alice)
    expect(page).to_have_title(re.compile("^✔ "))
    expect(page.locator(".action--done")).to_contain_text("Ticket T-")
    expect(page.locator("#timeline")).to_contain_text("bob approved")
    assert alice.has_stayed
    story.assert_nothing_lost(alice)


def test_the_whole_story_works_without_javascript(people: People) -> None:
    alice = people("alice", stranger=True, java_script_enabled=False)
    bob = people("bob", java_script_enabled=False)
    story.log_in(alice)

    run = story.start_run(alice)
    story.reload_until_asked(alice)
    page = story.open_request(bob, run)
    page.get_by_role("button", name=re.compile("^Create the ticket")).click()
    expect(page.locator(".after")).to_contain_text("You approved")

    story.wait_until_finished(alice)  # the page asks for itself anew every few seconds while the run goes on
    expect(alice.page.locator(".action--done")).to_contain_text("Ticket T-")
    alice.page.locator("#E1").get_by_role("group").first.locator("summary").click()
    alice.page.get_by_role("link", name="Open E1", exact=True).first.click()
    expect(alice.page.locator(".evidence")).to_contain_text("sha256")

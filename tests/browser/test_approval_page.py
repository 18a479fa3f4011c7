"""The approval page as people meet it: what binds a vote, what a denial needs, what a second viewer sees."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser import story
from tests.browser.conftest import People

REFUSED = "Failed to load resource: the server responded with a status of"


def test_a_vote_is_bound_to_the_arguments_that_the_page_was_made_from(people: People, waiting_run: int) -> None:
    bob = people("bob")
    bob.expect_complaints(f"{REFUSED} 409")
    page = story.open_request(bob, waiting_run)
    bound = page.locator(".approve [name=args_sha256]")
    shown = page.locator(".canonical dd.mono").text_content()
    assert bound.input_value() == shown

    bound.evaluate("(field) => { field.value = 'f' + field.value.slice(1) + '0' }")
    page.locator("[data-approve]").click()

    expect(page.get_by_role("alert")).to_contain_text("Nothing was changed by you")
    expect(page.get_by_role("alert")).to_contain_text("arguments_changed")
    expect(page.locator("[data-phase]")).to_have_attribute("data-phase", "open")


def test_a_denial_without_a_reason_is_refused_and_one_with_a_reason_shows_at_a_second_window(people: People) -> None:
    alice, bob, carol = people("alice"), people("bob"), people("carol")
    bob.expect_complaints(f"{REFUSED} 400")
    run = story.reach_approval(alice)
    page = story.open_request(bob, run)
    watching = story.open_request(carol, run)
    carol.stay()

    page.get_by_text("Deny…").click()
    page.get_by_role("button", name="Deny it").click()
    expect(page.locator("#reason-error")).to_contain_text("10 characters")
    page.get_by_label("In your own words").fill("OPS-12 covers this already")
    page.get_by_role("button", name="Deny it").click()

    expect(page.locator(".after")).to_contain_text("You denied")
    expect(watching.locator(".after")).to_contain_text("bob denied: “OPS-12 covers this already”")
    expect(watching.locator("#decide")).to_have_count(0)
    assert carol.has_stayed
    story.wait_until_finished(alice)
    expect(alice.page.locator("#timeline")).to_contain_text("OPS-12 covers this already")
    expect(alice.page.locator(".action--done")).to_have_count(0)


def test_who_may_not_vote_is_told_who_can(people: People, waiting_run: int) -> None:
    page = story.open_request(people("alice"), waiting_run)

    expect(page.locator(".vote--no")).to_contain_text(re.compile("You started this run; .*bob"))
    expect(page.locator("[name=decision]")).to_have_count(0)
    expect(page.get_by_text("Edit…")).to_be_visible()  # what she started she may still change


def test_a_request_closes_at_an_open_window_when_its_run_is_cancelled(people: People) -> None:
    alice, bob = people("alice"), people("bob")
    page = story.open_request(bob, story.reach_approval(alice))
    bob.stay()

    story.cancel(alice)

    expect(page.get_by_role("status")).to_contain_text("No longer valid")
    expect(page.locator("#decide")).to_have_count(0)
    assert bob.has_stayed


def test_on_a_phone_approving_waits_until_the_last_argument_was_on_the_screen(people: People, waiting_run: int) -> None:
    bob = people("bob", viewport={"width": 390, "height": 844})
    page = story.open_request(bob, waiting_run)
    button = page.locator("[data-approve]")

    expect(button).to_be_in_viewport()
    expect(button).to_be_disabled()
    page.locator("[data-last-argument]").scroll_into_view_if_needed()

    expect(button).to_be_enabled()

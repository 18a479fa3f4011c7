"""Deciding as people do it: by keyboard, two at once, with other words, too late, and on a phone."""

from __future__ import annotations

import re
import sqlite3
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page, expect

from tests.browser import story
from tests.browser.conftest import People
from tests.browser.stack import Stack

REFUSED = "Failed to load resource: the server responded with a status of"


def _asked(people: People) -> int:
    """A run of alice's that waits; the number of its request."""
    alice = people("alice")
    return story.number_of_request(alice, story.reach_approval(alice))


def _focus_by(page: Page, key: str, selector: str, most: int = 80) -> None:
    """Press a key until what is looked for has the focus, as a person does who has no mouse."""
    for _ in range(most):
        if page.evaluate("(wanted) => document.activeElement?.matches(wanted) ?? false", selector):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{key} never reaches {selector}")


def test_from_the_queue_to_the_decision_without_a_mouse(people: People) -> None:
    request, bob = _asked(people), people("bob")
    page = bob.go("/admin/approvals/")

    _focus_by(page, "j", f'a[href="/approvals/{request}/"]')
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Create a ticket")
    _focus_by(page, "Tab", "[data-approve]")
    page.keyboard.press("Enter")

    expect(page.locator(".after")).to_contain_text("You approved")
    expect(page.locator(".after")).to_contain_text("Created")


def test_two_approvers_at_once_each_see_what_is_true(people: People) -> None:
    request, bob, carol = _asked(people), people("bob"), people("carol")
    carol.expect_complaints(f"{REFUSED} 409")
    windows = [visitor.go(f"/approvals/{request}/") for visitor in (bob, carol)]
    # carol's page must not learn of it by itself before she clicks
    windows[1].route("**/part*", lambda route: route.abort())
    carol.expect_complaints("net::ERR_FAILED")

    windows[0].locator("[data-approve]").click()
    expect(windows[0].locator(".after")).to_contain_text("You approved")
    windows[1].locator("[data-approve]").click()

    expect(windows[1].get_by_role("alert")).to_contain_text("Nothing was changed by you")
    expect(windows[1].locator(".after")).to_contain_text("bob approved")
    expect(windows[1].locator("[data-approve]")).to_have_count(0)


def test_an_edit_makes_a_request_that_shows_the_difference_and_that_somebody_else_decides(people: People) -> None:
    request, bob, carol = _asked(people), people("bob"), people("carol")
    watching = carol.go(f"/approvals/{request}/")
    page = bob.go(f"/approvals/{request}/")

    page.get_by_text("Edit…").click()
    field = page.get_by_label("title")
    field.fill(f"{field.input_value()}, checked by bob")
    page.get_by_role("button", name="Make the new request").click()

    page.wait_for_url(re.compile(rf"/approvals/(?!{request}/)\d+/$"))
    expect(page.locator(".edits ins")).to_contain_text("checked by bob")
    expect(page.locator(".vote--no")).to_contain_text("You changed its arguments; carol can.")
    expect(page.locator("[data-approve]")).to_have_count(0)
    # The window that was open on the old request says where it went.
    expect(watching.get_by_role("status")).to_contain_text("bob changed title")
    watching.get_by_role("link", name=re.compile("See the new request")).click()
    watching.locator("[data-approve]").click()
    expect(watching.locator(".after")).to_contain_text("Created")


def test_a_request_expires_while_its_page_is_open(people: People, stack: Stack) -> None:
    request, bob = _asked(people), people("bob")
    page = bob.go(f"/approvals/{request}/")
    bob.stay()

    _let_expire(stack, request)

    expect(page.get_by_role("status")).to_contain_text("Nobody decided in time.")
    expect(page.locator("[data-approve]")).to_have_count(0)
    expect(page.locator(".approval")).not_to_contain_text("denied")
    assert bob.has_stayed


def test_a_phone_is_enough_to_read_edit_and_approve(people: People) -> None:
    request, carol = _asked(people), people("carol", viewport={"width": 390, "height": 844}, has_touch=True)
    page = carol.go(f"/approvals/{request}/")

    page.get_by_text("Edit…").tap()
    expect(page.get_by_role("button", name="Make the new request")).to_be_visible()
    page.get_by_text("Edit…").tap()
    page.locator("[data-last-argument]").scroll_into_view_if_needed()
    page.locator("[data-approve]").tap()

    expect(page.locator(".after")).to_contain_text("You approved")


def _let_expire(stack: Stack, request: int) -> None:
    """Its time runs out now, as far as the record says."""
    past = (datetime.now(UTC) - timedelta(seconds=1)).strftime("%Y-%m-%d %H:%M:%S.%f")
    with sqlite3.connect(stack.folder / "data" / "opspilot.sqlite3", timeout=30) as database:
        database.execute("UPDATE runs_approval SET expires_at = ? WHERE id = ?", [past, request])

"""The acts that the browser tests' stories are made of, done as people do them: with fields, buttons and links."""

from __future__ import annotations

import re
import time

from playwright.sync_api import Locator, Page, expect

from tests.browser.people import PASSWORD
from tests.browser.visitor import SLOW_MS, Visitor

GOAL = "Investigate database timeouts in the last 5 hours and create a ticket if required"

SEQS = "[...document.querySelectorAll('#timeline .line')].map((line) => Number(line.dataset.seq))"


def log_in(visitor: Visitor) -> None:
    page = visitor.go("/login/")
    page.get_by_label("User name").fill(visitor.name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Investigations", exact=True)).to_be_visible()


def start_run(visitor: Visitor, goal: str = GOAL) -> int:
    """From the form of a new investigation to its page; answers the run's number."""
    page = visitor.go("/runs/new")
    page.get_by_label("What should be investigated?").fill(goal)
    page.get_by_role("button", name="Investigate", exact=True).click()
    page.wait_for_url(re.compile(r"/runs/\d+/$"))
    return int(page.url.rstrip("/").rsplit("/", 1)[1])


def reach_approval(visitor: Visitor, goal: str = GOAL) -> int:
    run = start_run(visitor, goal)
    wait_until_asked(visitor)
    return run


def wait_until_asked(visitor: Visitor) -> None:
    expect(badge(visitor.page)).to_contain_text("Waiting for approval")
    expect(visitor.page.get_by_role("link", name="Review request")).to_be_visible()


def reload_until_asked(visitor: Visitor) -> None:
    """What an impatient person does without JavaScript."""
    deadline = time.monotonic() + SLOW_MS / 1_000
    while not visitor.page.get_by_role("link", name="Review request").count():
        assert time.monotonic() < deadline, visitor.page.locator("#bar").text_content()
        time.sleep(0.3)
        visitor.page.reload()


def wait_until_finished(visitor: Visitor) -> None:
    expect(visitor.page.locator("#live")).to_have_text("Finished")
    expect(badge(visitor.page)).to_have_attribute("data-terminal", "1")


def badge(page: Page) -> Locator:
    return page.locator("#badge")


def open_request(visitor: Visitor, run: int) -> Page:
    """From the run's page to what it asks for."""
    page = visitor.go(f"/runs/{run}/")
    page.get_by_role("link", name="Review request").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    return page


def decide_in_admin(visitor: Visitor, run: int) -> None:
    """Find the run's request in the admin's queue, open it, read it, approve it."""
    page = visitor.go("/admin/approvals/")
    request = number_of_request(visitor, run)
    page.locator(f'a[data-row][href="/approvals/{request}/"]').click()
    page.locator("[data-approve]").click()
    expect(page.locator(".after")).to_contain_text("You approved")


def number_of_request(visitor: Visitor, run: int) -> int:
    """The run's only request, as the API tells everybody who may see it."""
    (asked,) = visitor.context.request.get(f"{visitor.url}/api/approvals?run={run}").json()["results"]
    return int(asked["id"])


def seqs(page: Page) -> list[int]:
    """The steps that the timeline shows, in its order."""
    return list(page.evaluate(SEQS))


def assert_nothing_lost(visitor: Visitor) -> None:
    """What the live page gathered is what a fresh one shows, and with the answered starts it is every step there is."""
    live = seqs(visitor.page)
    chained = [int(cell) for cell in visitor.page.locator("#audit tbody td:first-child").all_text_contents()]
    assert live == sorted(set(live)), "steps stand twice or in a wrong order"
    visitor.page.reload()
    assert live == seqs(visitor.page)
    assert chained == list(range(1, len(chained) + 1))
    assert live[-1] == len(chained)


def cancel(visitor: Visitor, why: str = "") -> None:
    """From the menu of the run's page that the visitor is on."""
    visitor.page.locator(".bar__menu > summary").click()
    visitor.page.get_by_label("Cancel it").fill(why)
    visitor.page.get_by_role("button", name="Cancel the investigation").click()
    expect(badge(visitor.page)).to_contain_text("Cancelled")

"""From a mail to a decision: who is asked follows the link of the mail, logs in, decides; the starter hears of it."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser import story
from tests.browser.conftest import People
from tests.browser.people import PASSWORD
from tests.browser.stack import Stack
from tests.standins.receivers import wait_until

LINK = re.compile(r"^[A-Z][a-z ]+: (http\S+)$", re.MULTILINE)


def _mail(stack: Stack, who: str, run: int, subject: str) -> str:
    """The text of the mail that this person got about this run; waits for it."""

    def found() -> list[str]:
        return [
            mail.get_content()
            for mail in stack.outside.mails
            if mail["To"] == f"{who}@example.org" and f"Run {run}," in mail.get_content() and subject in mail["Subject"]
        ]

    wait_until(lambda: bool(found()))
    (text,) = found()
    return text


def test_a_mail_leads_through_the_login_to_the_request_and_the_answer_comes_by_mail(
    people: People, stack: Stack
) -> None:
    alice, bob = people("alice"), people("bob", stranger=True, viewport={"width": 390, "height": 844})
    run = story.reach_approval(alice)
    (link,) = LINK.findall(_mail(stack, "bob", run, "needs approval"))

    page = bob.page
    page.goto(link)
    page.get_by_label("User name").fill("bob")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Create a ticket")
    expect(page.locator("[data-read-first]")).to_be_visible()
    page.locator(".canonical").scroll_into_view_if_needed()
    page.get_by_role("button", name=re.compile("^Create the ticket")).click()
    expect(page.locator(".after")).to_contain_text("You approved")

    assert "Approved by bob" in _mail(stack, "alice", run, "approved by bob")
    story.wait_until_finished(alice)
    (answer,) = LINK.findall(_mail(stack, "alice", run, " SEV"))
    alice.page.goto(answer)
    expect(story.badge(alice.page)).to_have_attribute("data-terminal", "1")


def test_a_link_that_was_sent_to_somebody_else_opens_nothing(people: People, stack: Stack, waiting_run: int) -> None:
    (link,) = LINK.findall(_mail(stack, "carol", waiting_run, "needs approval"))
    bob = people("bob")
    bob.expect_complaints("403")
    bob.page.goto(link)

    expect(bob.page.locator("main")).to_contain_text("This link was sent to somebody else")

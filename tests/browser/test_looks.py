"""What holds for the look of every page: it fits a phone, its words can be read in both themes, nothing breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser import story
from tests.browser.conftest import People
from tests.browser.pages import Place, tour
from tests.browser.stack import Stack
from tests.browser.visitor import Visitor

DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
REDRAWN_MS = 500  # charts draw themselves anew once a window has kept its size for a moment
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
STICKS_OUT = """() => {
  if (document.documentElement.scrollWidth <= innerWidth) return [];
  const sticksOut = (element) => element.getBoundingClientRect().right > innerWidth + 1;
  return [...document.body.querySelectorAll("*")].filter(sticksOut).slice(0, 5).map((e) => e.outerHTML.slice(0, 120));
}"""

Found = dict[str, list[str]]


@pytest.fixture
def found(
    browser: Browser, stack: Stack, sessions: Callable[[str], Any], waiting_run: int, finished_run: int
) -> Iterator[Found]:
    """What is wrong with any page, by what was looked for. Each page is opened once and looked at in every way."""
    visitors = {"": Visitor("somebody", browser.new_context(), stack.url)}
    for name in ("alice", "bob", "admin"):
        visitors[name] = Visitor(name, browser.new_context(storage_state=sessions(name)), stack.url)
    found: Found = {"light": [], "dark": [], "phone": [], "console": []}
    for place in _places(visitors["bob"], waiting_run, finished_run):
        _look(visitors[place.who], place, found)
    yield found
    for visitor in visitors.values():
        visitor.context.close()


def _places(bob: Visitor, waiting_run: int, finished_run: int) -> list[Place]:
    page = bob.go(f"/runs/{finished_run}/")
    ticket = page.locator(".action--done a").first.text_content() or ""
    return tour(waiting_run, story.number_of_request(bob, waiting_run), finished_run, ticket)


def _look(visitor: Visitor, place: Place, found: Found) -> None:
    page = visitor.page
    page.set_viewport_size(DESK)
    if place.is_missing:
        visitor.expect_complaints("responded with a status of 404")
    visitor.go(place.path)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found[scheme] += [f"{place.name}: {words}" for words in page.evaluate(CONTRAST)]
    page.set_viewport_size(PHONE)
    if page.evaluate(STICKS_OUT):
        page.wait_for_timeout(REDRAWN_MS)
    found["phone"] += [f"{place.name}: {words}" for words in page.evaluate(STICKS_OUT)]
    found["console"] += [f"{place.name}: {words}" for words in visitor.problems]
    visitor.problems.clear()


def test_every_page_is_readable_in_both_themes_fits_a_phone_and_complains_of_nothing(found: Found) -> None:
    assert found == {"light": [], "dark": [], "phone": [], "console": []}


def test_what_a_page_must_not_do_is_noticed(people: People) -> None:
    alice = people("alice")
    page = alice.go("/")

    page.evaluate("fetch('https://elsewhere.example/').catch(() => {})")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">styled</p>')")
    page.evaluate("setTimeout(() => { throw new Error('broken') })")
    page.wait_for_timeout(200)

    problems, alice.problems = " ".join(alice.problems), []
    assert "violates the following Content Security Policy directive: \"connect-src 'self'\"" in problems
    assert "Applying inline style violates" in problems
    assert "broken" in problems


def test_the_chosen_theme_holds_on_the_next_page(people: People) -> None:
    page = people("alice", color_scheme="light").go("/")

    page.locator("[data-theme-toggle]").click()
    page.goto(page.url.replace("/?", "/runs/new?") if "?" in page.url else f"{page.url}runs/new")

    assert page.evaluate("document.documentElement.dataset.theme") == "dark"

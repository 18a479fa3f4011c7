"""What holds for the look of every page: it fits a phone, and its words can be read in light and in dark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser import story
from tests.browser.conftest import People
from tests.browser.pages import Place, tour
from tests.browser.visitor import Visitor

PHONE = {"width": 390, "height": 844}
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
WIDEST = """() => {
  if (document.documentElement.scrollWidth <= innerWidth) return [];
  const sticksOut = (element) => element.getBoundingClientRect().right > innerWidth + 1;
  return [...document.body.querySelectorAll("*")].filter(sticksOut).slice(0, 5).map((e) => e.outerHTML.slice(0, 120));
}"""

Visits = Callable[..., list[str]]


@pytest.fixture
def visit_all(people: People, waiting_run: int, finished_run: int) -> Visits:
    """Opens every page as the person who sees it and answers what `look` finds wrong, with the page's name."""

    def visit(look: Callable[[Page], list[str]], **window: object) -> list[str]:
        visitors: dict[str, Visitor] = {}
        found = []
        for place in _places(people("bob"), waiting_run, finished_run):
            if place.who not in visitors:
                visitors[place.who] = people(place.who or "somebody", stranger=not place.who, **window)
                visitors[place.who].expect_complaints("responded with a status of 404")
            page = visitors[place.who].go(place.path)
            found += [f"{place.name}: {words}" for words in look(page)]
        return found

    return visit


def _places(bob: Visitor, waiting_run: int, finished_run: int) -> list[Place]:
    page = bob.go(f"/runs/{finished_run}/")
    ticket = page.locator(".action--done a").first.text_content() or ""
    return tour(waiting_run, story.number_of_request(bob, waiting_run), finished_run, ticket)


def test_no_page_scrolls_sideways_on_a_phone(visit_all: Visits) -> None:
    assert visit_all(lambda page: page.evaluate(WIDEST), viewport=PHONE) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_of_every_page_stands_out_from_what_is_behind_it(visit_all: Visits, scheme: str) -> None:
    assert visit_all(lambda page: page.evaluate(CONTRAST), color_scheme=scheme) == []

"""One stack and one Chromium for all browser tests, and windows for people in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from opspilot_site.test_machine import chromium
from tests.browser import story
from tests.browser.stack import Stack, running_stack
from tests.browser.visitor import Visitor

TRACES = settings.BASE_DIR / "test-results"
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
has_failed = pytest.StashKey[bool]()

People = Callable[..., Visitor]


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    item.stash[has_failed] = item.stash.get(has_failed, False) or report.failed
    return report


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium. It ends with the package: while it is open, Django refuses the database in this thread."""
    program = chromium()
    if program is None:
        pytest.skip("needs Chromium: sudo apt install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=list(QUIET))
        yield opened
        opened.close()


@pytest.fixture(scope="package")
def stack(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="package")
def sessions(browser: Browser, stack: Stack) -> Callable[[str], Any]:
    """The cookies of a person who logged in by the form, once for all tests."""
    known: dict[str, Any] = {}

    def cookies_of(name: str) -> Any:
        if name not in known:
            context = browser.new_context()
            story.log_in(Visitor(name, context, stack.url))
            known[name] = context.storage_state()
            context.close()
        return known[name]

    return cookies_of


@pytest.fixture
def people(
    request: pytest.FixtureRequest, browser: Browser, stack: Stack, sessions: Callable[[str], Any]
) -> Iterator[People]:
    """`people("bob")` is bob at a window of his own, logged in; more words go to the browser's context.

    Any error in the console, breach of the content policy or request to another host fails the test.
    """
    opened: list[Visitor] = []
    stack.close_tickets()

    def arrive(name: str, *, stranger: bool = False, **window: Any) -> Visitor:
        context: BrowserContext = browser.new_context(storage_state=None if stranger else sessions(name), **window)
        opened.append(Visitor(name, context, stack.url))
        return opened[-1]

    yield arrive
    if request.node.stash.get(has_failed, False):
        for visitor in opened:
            visitor.leave_traces(TRACES / request.node.name)
    problems = [f"{visitor.name}: {words}" for visitor in opened for words in visitor.problems]
    for visitor in opened:
        visitor.context.close()
    assert problems == []


@pytest.fixture(scope="package")
def waiting_run(browser: Browser, stack: Stack, sessions: Callable[[str], Any]) -> int:
    """A run of alice's at its approval that no test decides."""
    return _as_alice(browser, stack, sessions, lambda alice: story.reach_approval(alice))


@pytest.fixture(scope="package")
def finished_run(browser: Browser, stack: Stack, sessions: Callable[[str], Any]) -> int:
    """A run of alice's that ended with a report and a ticket."""
    bob = Visitor("bob", browser.new_context(storage_state=sessions("bob")), stack.url)
    run = _as_alice(browser, stack, sessions, lambda alice: story.reach_approval(alice))
    story.decide_in_admin(bob, run)
    bob.go(f"/runs/{run}/")
    story.wait_until_finished(bob)
    bob.context.close()
    return run


def _as_alice(browser: Browser, stack: Stack, sessions: Callable[[str], Any], act: Callable[[Visitor], int]) -> int:
    stack.close_tickets()
    alice = Visitor("alice", browser.new_context(storage_state=sessions("alice")), stack.url)
    try:
        return act(alice)
    finally:
        alice.context.close()

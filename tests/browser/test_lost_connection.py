"""What a live page shows after its server, its network or Redis went away for a while: everything, once, in order."""

from __future__ import annotations

from playwright.sync_api import WebSocketRoute, expect

from tests.browser import story
from tests.browser.conftest import People
from tests.browser.stack import Stack
from tests.browser.visitor import Visitor

AWAY = ("WebSocket connection to", "Failed to load resource: net::ERR_")


class Network:
    """A visitor's way to the server. Chromium's own offline switch leaves open sockets open, so they are cut here."""

    def __init__(self, visitor: Visitor):
        self._context = visitor.context
        self._sockets: list[WebSocketRoute] = []
        self._is_there = True
        visitor.page.route_web_socket("**/ws/**", self._join)

    def _join(self, socket: WebSocketRoute) -> None:
        if not self._is_there:
            socket.close(code=4000, reason="no network")
            return
        socket.connect_to_server()
        self._sockets.append(socket)

    def cut(self) -> None:
        self._is_there = False
        self._context.set_offline(True)
        for socket in self._sockets:
            socket.close(code=4000, reason="no network")

    def mend(self) -> None:
        self._is_there = True
        self._context.set_offline(False)


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
    network = Network(alice)
    run = story.reach_approval(alice)
    alice.stay()
    before = story.seqs(alice.page)

    network.cut()
    expect(alice.page.locator("#live")).to_contain_text("Reconnecting")
    stack.kill("redis-server")
    story.decide_in_admin(bob, run)
    bob.go(f"/runs/{run}/")
    story.wait_until_finished(bob)
    assert story.seqs(alice.page) == before
    network.mend()

    story.wait_until_finished(alice)
    expect(alice.page.locator(".action--done")).to_contain_text("Ticket T-")
    assert alice.has_stayed
    story.assert_nothing_lost(alice)

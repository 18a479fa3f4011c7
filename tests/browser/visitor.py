"""A person in front of a browser window, and everything the window complained of meanwhile."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, WebError, WebSocket, expect

SLOW_MS = 60_000  # how long a page may take to show what a busy machine is still working on
expect.set_options(timeout=SLOW_MS)


class Visitor:
    """One person's browser context with one page. `problems` must be empty at the end of a test."""

    def __init__(self, name: str, context: BrowserContext, url: str):
        self.name = name
        self.url = url
        self.context = context
        self.console: list[str] = []
        self.problems: list[str] = []
        self._expected: list[str] = []
        context.set_default_timeout(SLOW_MS)
        context.on("console", self._hear)
        context.on("weberror", self._catch)
        context.on("request", self._follow)
        self.page: Page = context.new_page()
        self.page.on("websocket", self._connect)

    def expect_complaints(self, *words: str) -> None:
        """What a test provokes: a refused form, a server that is away. Other complaints still fail it."""
        self._expected.extend(words)

    def go(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def stay(self) -> None:
        """Marks the page as it is now, so that `has_stayed` can tell that it was never loaded anew."""
        self.page.evaluate("window.stayed = true")

    @property
    def has_stayed(self) -> bool:
        return bool(self.page.evaluate("window.stayed === true"))

    def leave_traces(self, folder: Path) -> None:
        """What a failed test is understood by: the window as it looked, and its console."""
        folder.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=folder / f"{self.name}.png", full_page=True)
        (folder / f"{self.name}.txt").write_text("\n".join([self.page.url, *self.console]))

    def _hear(self, message: ConsoleMessage) -> None:
        self.console.append(f"{message.type}: {message.text}")
        if message.type == "error":
            self._complain(f"console: {message.text}")

    def _catch(self, error: WebError) -> None:
        self._complain(f"script: {error.error}")

    def _follow(self, request: Request) -> None:
        self._check_host(request.url)

    def _connect(self, socket: WebSocket) -> None:
        self._check_host(socket.url)

    def _check_host(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.netloc != urlsplit(self.url).netloc:
            self._complain(f"request to another host: {url}")

    def _complain(self, words: str) -> None:
        self.console.append(words)
        if not any(expected in words for expected in self._expected):
            self.problems.append(words)

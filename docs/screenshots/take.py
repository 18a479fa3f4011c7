"""Takes the pictures of the README with Chromium. `./opspilot screenshots` starts the demo and calls this."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def main(order: dict[str, str]) -> None:
    """`order`: chromium (its path), url (of the dashboard), and one log-in link each for alice, bob and admin."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=order["chromium"], args=["--no-sandbox"])
        state = {name: _signed_in(browser, order[name]) for name in ("alice", "bob")}
        for theme in ("light", "dark"):
            _shots(browser, order["url"], state, theme, DESK, theme)
        _shots(browser, order["url"], state, "light", PHONE, "phone")
        browser.close()


def _signed_in(browser: Browser, link: str) -> dict:
    """The cookies of somebody who followed a one-time link."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(link)
    page.get_by_role("button", name="Continue as").click()
    page.wait_for_url("**/")
    return context.storage_state()


def _shots(browser: Browser, url: str, state: dict, theme: str, size: dict, name: str) -> None:
    for who, path, what in [
        ("alice", "/runs/1/", "run"),
        ("alice", "/?tab=all", "list"),
        ("bob", "/approvals/1/", "approval"),
        ("bob", "/admin/approvals/", "queue"),
    ]:
        context = browser.new_context(
            storage_state=state[who], viewport=size, color_scheme=theme, device_scale_factor=2 if name == "phone" else 1
        )
        page = context.new_page()
        page.goto(url + path)
        _settle(page)
        page.screenshot(path=HERE / f"{what}-{name}.png")
        context.close()


def _settle(page: Page) -> None:
    page.wait_for_load_state("load")
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(700)  # the charts draw themselves


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

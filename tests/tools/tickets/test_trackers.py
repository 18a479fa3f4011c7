"""GitHub, Jira and a webhook: one ticket a key whatever happens, found again, commented on, its state read back."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.standins.vendor import running
from tools.base import ToolError
from tools.tickets.opening import tracker
from tools.tickets.tracker import Draft, Tracker, Unsure
from tools.web import client, turns
from tools.web.client import NotAnswered

KEY, OTHER = "a" * 64, "b" * 64
DRAFT = Draft("orders: pool exhausted", "## Cause\nthe pool", "orders", "SEV2", "https://ops.example.org/runs/7/")


@pytest.fixture(autouse=True)
def own_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns.tempfile, "tempdir", str(tmp_path))


@dataclass
class Vendor:
    name: str
    url: Callable[[str], str]

    def open(self, mode: str = "ok", more: str = "") -> Tracker:
        urls = {"github": f"github+{self.url(mode)}/acme/shop?", "jira": f"jira+{self.url(mode)}?project=OPS&"}
        found = tracker(urls[self.name] + more)
        assert found is not None
        return found

    def seen(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.url('ok')}/_seen") as answer:  # noqa: S310 - our own address
            return list(json.load(answer))

    def close(self, name: str) -> None:
        paths = {"github": f"/repos/acme/shop/issues/{name.lstrip('#')}", "jira": f"/rest/api/2/issue/{name}"}
        request = urllib.request.Request(  # noqa: S310
            self.url("ok") + paths[self.name], data=b'{"state": "closed"}',
            method="PATCH" if self.name == "github" else "PUT", headers={"X-GitHub-Api-Version": "2022-11-28"},
        )  # fmt: skip
        urllib.request.urlopen(request).close()  # noqa: S310


@pytest.fixture(params=["github", "jira"])
def vendor(request: pytest.FixtureRequest) -> Iterator[Vendor]:
    with running(f"{request.param}_api") as url:
        yield Vendor(request.param, url)


def test_a_ticket_is_made_once_with_the_way_back(vendor: Vendor) -> None:
    first = vendor.open().create(KEY, DRAFT)
    again = vendor.open().create(KEY, DRAFT)

    assert first.name == again.name
    assert first.url.endswith(("/acme/shop/issues/1", "/browse/OPS-1"))
    (kept,) = vendor.seen()
    assert DRAFT.run_url in json.dumps(kept)


def test_another_key_is_another_ticket(vendor: Vendor) -> None:
    assert vendor.open().create(KEY, DRAFT).name != vendor.open().create(OTHER, DRAFT).name


@pytest.mark.parametrize("fault", ["late-cut", "late-malformed", "late-500", "late-slow"])
def test_a_lost_answer_is_not_a_refusal_and_the_key_settles_it(
    vendor: Vendor, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.tickets.opening.DEADLINE_S", 0.5)
    with pytest.raises((Unsure, ValueError)):
        vendor.open(fault).create(KEY, DRAFT)

    vendor.open().create(KEY, DRAFT)

    assert len(vendor.seen()) == 1


@pytest.mark.parametrize("fault", ["401", "404", "429", "500", "slow", "cut", "malformed", "shape", "huge"])
def test_a_tracker_that_cannot_be_asked_for_the_key_is_said_and_nothing_made(
    vendor: Vendor, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.tickets.opening.DEADLINE_S", 0.5)
    monkeypatch.setattr(client, "MAX_BYTES", 2 * 2**20)
    with pytest.raises(NotAnswered):
        vendor.open(fault).create(KEY, DRAFT)

    assert vendor.seen() == []


def test_a_refused_write_is_certain(vendor: Vendor) -> None:
    with pytest.raises(NotAnswered, match="answered 401"):
        vendor.open("late-401").create(KEY, DRAFT)


def test_a_comment_is_made_once(vendor: Vendor) -> None:
    opened = vendor.open()
    name = opened.create(KEY, DRAFT).name
    text = f"seen again\n\nopspilot-{OTHER[:32]}"

    assert opened.comment(OTHER, name, text) == opened.comment(OTHER, name, text)

    (kept,) = vendor.seen()
    assert len(kept.get("comments") or kept.get("_comments")) == 1


def test_open_tickets_of_a_service_are_found_and_a_closed_one_is_closed(vendor: Vendor) -> None:
    opened = vendor.open()
    old, new = opened.create(KEY, DRAFT), opened.create(OTHER, DRAFT)

    assert [one.name for one in opened.open_for("orders")] == [new.name, old.name]
    assert opened.open_for("payments") == []

    vendor.close(old.name)
    found = opened.find(old.name)
    assert found is not None and found.state == "closed"
    assert [one.name for one in opened.open_for("orders")] == [new.name]


def test_the_token_comes_from_its_file(vendor: Vendor, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("right")

    assert vendor.open("secured", f"token_file={tmp_path / 'token'}").create(KEY, DRAFT).name
    with pytest.raises(NotAnswered, match="it refuses us"):
        vendor.open("secured").create(OTHER, DRAFT)


def test_a_jira_without_the_new_search_is_searched_the_old_way() -> None:
    with running("jira_api") as url:
        jira = Vendor("jira", url)
        assert jira.open("old").create(KEY, DRAFT).name == jira.open("old").create(KEY, DRAFT).name
        assert len(jira.seen()) == 1


@pytest.mark.parametrize("name", ["a/b", "..", "", "x" * 61, "T 1", "<b>", "T-1\n", "ä"])
def test_a_name_that_could_not_stand_in_an_address_is_replaced(httpserver: HTTPServer, name: str) -> None:
    httpserver.expect_request("/hook").respond_with_json({"id": name})
    hook = tracker(f"webhook+{httpserver.url_for('/hook')}")
    assert hook is not None
    assert hook.create(KEY, DRAFT).name == KEY[:12]


def test_a_comment_is_found_again_among_very_many() -> None:
    with running("github_api") as url:
        github = Vendor("github", url)
        opened = github.open()
        name = opened.create(KEY, DRAFT).name
        for number in range(101):
            opened.comment(f"{number:032}", name, f"opspilot-{number:032}")
        text = f"seen again\n\nopspilot-{OTHER[:32]}"
        assert opened.comment(OTHER, name, text) == opened.comment(OTHER, name, text)
        (kept,) = github.seen()
        assert len(kept["_comments"]) == 102


def test_a_webhook_gets_the_key_and_may_name_the_ticket(httpserver: HTTPServer) -> None:
    seen: list[tuple[str, dict[str, Any]]] = []

    def answer(request: Request) -> Response:
        seen.append((request.headers["Idempotency-Key"], request.get_json()))
        return Response(json.dumps({"id": "INC-9", "url": "https://desk.example.org/INC-9"}))

    httpserver.expect_request("/hook").respond_with_handler(answer)
    hook = tracker(f"webhook+{httpserver.url_for('/hook')}")
    assert hook is not None
    ticket = hook.create(KEY, DRAFT)

    assert (ticket.name, ticket.url) == ("INC-9", "https://desk.example.org/INC-9")
    assert seen[0][0] == KEY
    assert seen[0][1]["title"] == DRAFT.title


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://x", "no tracker is spoken to that way"),
        ("github://acme", "write the repository"),
        ("jira+https://jira.example.org", "name Jira's project by its key"),
        ("jira+https://jira.example.org?project=OPS&color=red", "says color"),
        ("webhook+https://a:b@hooks.example.org", "must not carry a user or password"),
    ],
)
def test_a_wrong_url_is_said(url: str, words: str) -> None:
    with pytest.raises(ToolError, match=words):
        tracker(url)


def test_none_is_none() -> None:
    assert tracker("") is None

"""GitHub Issues. API: https://docs.github.com/en/rest/issues.

The key stands in the issue's text and is looked for in the list of issues: the search index lags behind, the list does
not, and labels are dropped where the token may not set them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tools.base import ToolError
from tools.sources.words import clean
from tools.tickets.tracker import Draft, Found, State, marker, reads, sent_or_unsure, signed
from tools.web.client import Client, NotAnswered, Params

PAGE, PAGES = 100, 3  # the newest 300 are looked through for a key
HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
MAX_BODY = 60_000  # GitHub takes 65,536 characters


@dataclass(frozen=True)
class GitHub:
    client: Client
    owner: str
    repository: str
    kind: str = "github"
    is_asked: bool = True

    @property
    def destination(self) -> str:
        return f"GitHub issues of {self.owner}/{self.repository} at {self.client.place.host}"

    @property
    def _path(self) -> str:
        return f"/repos/{quote(self.owner, safe='')}/{quote(self.repository, safe='')}/issues"

    def create(self, key: str, draft: Draft) -> Found:
        if made := self._made(key):
            return made
        labels = ["opspilot", *([f"service:{draft.service[:40]}"] if draft.service else [])]
        head = f"{draft.severity} · {draft.service or 'no service named'}\n\n"
        body = {
            "title": draft.title,
            "body": signed(head + draft.body[:MAX_BODY], key, draft.run_url),
            "labels": labels,
        }
        try:
            return _found(self.client.send("POST", self._path, body=body, headers=HEADERS).json())
        except NotAnswered as error:
            raise sent_or_unsure(error) from None

    @reads
    def _made(self, key: str) -> Found | None:
        """What this key has made already."""
        return next((_found(one) for one in self._issues("all") if marker(key) in str(one.get("body") or "")), None)

    def comment(self, key: str, name: str, text: str) -> str:
        path = f"{self._path}/{_number(name)}/comments"
        if url := self._commented(key, path):
            return url
        try:
            return str(self.client.send("POST", path, body={"body": text}, headers=HEADERS).json()["html_url"])
        except NotAnswered as error:
            raise sent_or_unsure(error) from None

    @reads
    def _commented(self, key: str, path: str) -> str:
        rows = self._pages(path, {}, 10)
        return next((str(one["html_url"]) for one in rows if marker(key) in str(one.get("body") or "")), "")

    @reads
    def open_for(self, service: str) -> list[Found]:
        wanted = f"service:{service[:40]}"
        return [
            _found(issue)
            for issue in self._issues("open", pages=1)
            if any(wanted == label.get("name") for label in issue.get("labels", []) if isinstance(label, dict))
            or service.lower() in str(issue.get("title", "")).lower()
        ]

    @reads
    def find(self, name: str) -> Found | None:
        answer = self.client.send("GET", f"{self._path}/{_number(name)}", headers=HEADERS, accept=frozenset({404, 410}))
        return None if answer.status in (404, 410) else _found(answer.json())

    def _issues(self, state: str, pages: int = PAGES) -> Iterator[dict[str, Any]]:
        """Newest first, without pull requests, which the API lists beside them."""
        asked: Params = {"state": state, "sort": "created", "direction": "desc"}
        return (row for row in self._pages(self._path, asked, pages) if "pull_request" not in row)

    def _pages(self, path: str, asked: Params, pages: int) -> Iterator[dict[str, Any]]:
        for page in range(1, pages + 1):
            rows = self.client.get(path, {**asked, "per_page": PAGE, "page": page}, HEADERS)
            yield from rows
            if len(rows) < PAGE:
                return


def _number(name: str) -> int:
    """Raises ToolError for a name that no issue has."""
    if not name.lstrip("#").isdecimal():
        raise ToolError(f"GitHub's issues are called #41; {name!r} is none.")
    return int(name.lstrip("#"))


def _found(issue: dict[str, Any]) -> Found:
    labels = [str(one.get("name", "")) for one in issue.get("labels", []) if isinstance(one, dict)]
    service = next((name.removeprefix("service:") for name in labels if name.startswith("service:")), "")
    state: State = "closed" if issue["state"] == "closed" else "open"
    return Found(f"#{int(issue['number'])}", clean(str(issue["title"]), 300), str(issue["html_url"]), state, service)

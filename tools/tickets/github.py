"""GitHub Issues. API: https://docs.github.com/en/rest/issues.

The key stands in the issue's text and is looked for in the list of issues: the search index lags behind, the list does
not, and labels are dropped where the token may not set them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tools.sources.words import clean
from tools.tickets.tracker import Draft, Found, State, marker, sent_or_unsure, signed
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

    @property
    def destination(self) -> str:
        return f"GitHub issues of {self.owner}/{self.repository} at {self.client.place.host}"

    @property
    def _path(self) -> str:
        return f"/repos/{quote(self.owner, safe='')}/{quote(self.repository, safe='')}/issues"

    def create(self, key: str, draft: Draft) -> Found:
        for issue in self._issues("all"):
            if marker(key) in str(issue.get("body") or ""):
                return _found(issue)
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

    def comment(self, key: str, name: str, text: str) -> str:
        path = f"{self._path}/{int(name.lstrip('#'))}/comments"
        for one in self.client.get(path, {"per_page": PAGE}, HEADERS):
            if marker(key) in str(one.get("body") or ""):
                return str(one["html_url"])
        try:
            return str(self.client.send("POST", path, body={"body": text}, headers=HEADERS).json()["html_url"])
        except NotAnswered as error:
            raise sent_or_unsure(error) from None

    def open_for(self, service: str) -> list[Found]:
        wanted = f"service:{service[:40]}"
        return [
            _found(issue)
            for issue in self._issues("open", pages=1)
            if any(wanted == label.get("name") for label in issue.get("labels", []) if isinstance(label, dict))
            or service.lower() in str(issue.get("title", "")).lower()
        ]

    def find(self, name: str) -> Found | None:
        answer = self.client.send(
            "GET", f"{self._path}/{int(name.lstrip('#'))}", headers=HEADERS, accept=frozenset({404, 410})
        )
        return None if answer.status in (404, 410) else _found(answer.json())

    def _issues(self, state: str, pages: int = PAGES) -> Iterator[dict[str, Any]]:
        """Newest first, without pull requests, which the API lists beside them."""
        for page in range(1, pages + 1):
            asked: Params = {"state": state, "sort": "created", "direction": "desc", "per_page": PAGE, "page": page}
            rows = self.client.get(self._path, asked, HEADERS)
            yield from (row for row in rows if "pull_request" not in row)
            if len(rows) < PAGE:
                return


def _found(issue: dict[str, Any]) -> Found:
    labels = [str(one.get("name", "")) for one in issue.get("labels", []) if isinstance(one, dict)]
    service = next((name.removeprefix("service:") for name in labels if name.startswith("service:")), "")
    state: State = "closed" if issue["state"] == "closed" else "open"
    return Found(f"#{int(issue['number'])}", clean(str(issue["title"]), 300), str(issue["html_url"]), state, service)

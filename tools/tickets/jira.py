"""Jira, Cloud and Data Center. API: https://developer.atlassian.com/cloud/jira/platform/rest/v2/.

The key stands as a label, which JQL finds; the description says it too. Jira's index follows a write within seconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tools.sources.words import clean
from tools.tickets.tracker import Draft, Found, marker, name_of, reads, sent_or_unsure, signed
from tools.web.client import Client, NotAnswered, Params

FIELDS = "summary,status,labels"
MAX_BODY = 30_000  # Jira takes 32,767 characters


@dataclass(frozen=True)
class Jira:
    client: Client
    project: str
    issue_type: str = "Task"
    kind: str = "jira"
    is_asked: bool = True

    @property
    def destination(self) -> str:
        return f"Jira project {self.project} at {self.client.place.host}"

    def create(self, key: str, draft: Draft) -> Found:
        if found := self._search(f'labels = "{marker(key)}"'):
            return found[0]
        text = _wiki(signed(f"{draft.severity}\n\n{draft.body[:MAX_BODY]}", key, draft.run_url))
        labels = ["opspilot", marker(key), *([_label(draft.service)] if draft.service else [])]
        fields = {
            "project": {"key": self.project}, "issuetype": {"name": self.issue_type}, "summary": draft.title[:250],
            "description": text, "labels": labels,
        }  # fmt: skip
        try:
            made = self.client.send("POST", "/rest/api/2/issue", body={"fields": fields}).json()
        except NotAnswered as error:
            raise sent_or_unsure(error) from None
        name = name_of(str(made["key"]), key)
        return Found(name, draft.title, self._page(name), "open", draft.service)

    def comment(self, key: str, name: str, text: str) -> str:
        path = f"/rest/api/2/issue/{quote(name, safe='')}/comment"
        if made_before := self._commented(key, path):
            return f"{self._page(name)}?focusedCommentId={made_before}"
        try:
            made = self.client.send("POST", path, body={"body": _wiki(text)}).json()
        except NotAnswered as error:
            raise sent_or_unsure(error) from None
        return f"{self._page(name)}?focusedCommentId={made['id']}"

    @reads
    def _commented(self, key: str, path: str) -> str:
        rows = self.client.get(path, {"orderBy": "-created", "maxResults": 50})["comments"]
        return next((str(one["id"]) for one in rows if marker(key) in str(one.get("body") or "")), "")

    def open_for(self, service: str) -> list[Found]:
        return self._search(f'labels = "{_label(service)}" AND statusCategory != Done')

    @reads
    def find(self, name: str) -> Found | None:
        path = f"/rest/api/2/issue/{quote(name, safe='')}"
        answer = self.client.send("GET", path, {"fields": FIELDS}, accept=frozenset({404}))
        return None if answer.status == 404 else self._found(answer.json())

    @reads
    def _search(self, condition: str) -> list[Found]:
        """Cloud has /search/jql, Data Center the older /search, with the same parameters as far as we need them."""
        jql = f'project = "{self.project}" AND {condition} ORDER BY created DESC'
        asked: Params = {"jql": jql, "fields": FIELDS, "maxResults": 20}
        try:
            answer = self.client.get("/rest/api/2/search/jql", asked)
        except NotAnswered as refusal:
            if refusal.status not in (404, 405, 410):
                raise
            answer = self.client.get("/rest/api/2/search", asked)
        return [self._found(issue) for issue in answer["issues"]]

    def _found(self, issue: dict[str, Any]) -> Found:
        fields, name = issue["fields"], str(issue["key"])
        is_done = fields["status"]["statusCategory"]["key"] == "done"
        service = next((one.removeprefix("service-") for one in fields["labels"] if one.startswith("service-")), "")
        title = clean(str(fields["summary"]), 300)
        return Found(name, title, self._page(name), "closed" if is_done else "open", service)

    def _page(self, name: str) -> str:
        return f"{self.client.place}/browse/{quote(name, safe='')}"


def _label(service: str) -> str:
    """A label holds no blanks; a quote would end the JQL string."""
    return "service-" + re.sub(r"[^\w.-]+", "-", service)[:100]


def _wiki(text: str) -> str:
    """Markdown's headings and code fences as Jira's own; the rest reads well as it is."""
    text = re.sub(r"(?m)^(#{1,6}) ", lambda match: f"h{len(match[1])}. ", text)
    return re.sub(r"(?m)^```\w*$", "{noformat}", text)

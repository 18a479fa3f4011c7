"""GitHub's issues API, in memory: list, create, read, comment. Run as `python -m tests.standins.github_api`.

Written from https://docs.github.com/en/rest/issues. The fault `late-cut` makes the issue and breaks the answer off.
"""

from __future__ import annotations

import re
from typing import Any

from tests.standins.vendor import Api, Reply, Request, serve

ISSUES = re.compile(r"/repos/([\w.-]+)/([\w.-]+)/issues(?:/(\d+)(/comments)?)?\Z")


class GitHub(Api):
    errors = {
        401: {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"},
        404: {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"},
        429: {"message": "You have exceeded a secondary rate limit"},
        500: {"message": "Server Error"},
    }

    def __init__(self) -> None:
        self.issues: list[dict[str, Any]] = []

    def is_query(self, request: Request) -> bool:
        return request.method == "POST"

    def answer(self, request: Request) -> Reply:
        if request.path == "/_seen":
            return Reply(self.issues)
        if request.mode == "secured" and request.headers.get("authorization") != "Bearer right":
            return Reply(self.errors[401], 401)
        match = ISSUES.fullmatch(request.path)
        if match is None or request.headers.get("x-github-api-version") != "2022-11-28":
            return Reply(self.errors[404], 404)
        number = int(match[3] or 0)
        if not number:
            return self._create(request, match) if request.method == "POST" else Reply(self._list(request.query))
        issue = next((one for one in self.issues if one["number"] == number), None)
        if issue is None:
            return Reply(self.errors[404], 404)
        if match[4]:
            return self._comment(issue, request) if request.method == "POST" else Reply(self._comments(issue, request))
        if request.method == "PATCH":
            issue |= request.json
        return Reply(issue)

    def _list(self, query: dict[str, str]) -> list[dict[str, Any]]:
        state, size, page = query.get("state", "open"), int(query.get("per_page", 30)), int(query.get("page", 1))
        found = [one for one in reversed(self.issues) if state in ("all", one["state"])]
        return found[(page - 1) * size : page * size]

    def _comments(self, issue: dict[str, Any], request: Request) -> list[dict[str, Any]]:
        """Oldest first, as the API has them."""
        size, page = int(request.query.get("per_page", 30)), int(request.query.get("page", 1))
        return list(issue["_comments"][(page - 1) * size : page * size])

    def _create(self, request: Request, match: re.Match[str]) -> Reply:
        body = request.json
        number = len(self.issues) + 1
        issue = {
            "number": number, "title": body["title"], "body": body["body"], "state": "open",
            "labels": [{"name": name} for name in body.get("labels", [])], "_comments": [],
            "html_url": f"https://github.com/{match[1]}/{match[2]}/issues/{number}",
        }  # fmt: skip
        self.issues.append(issue)
        return Reply(issue, 201)

    def _comment(self, issue: dict[str, Any], request: Request) -> Reply:
        made = {"body": request.json["body"], "html_url": f"{issue['html_url']}#issuecomment-{len(issue['_comments'])}"}
        issue["_comments"].append(made)
        return Reply(made, 201)


if __name__ == "__main__":
    serve(GitHub())

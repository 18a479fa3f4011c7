"""Jira's issue API, in memory: create, search by the JQL that we write, read, comment.

Written from https://developer.atlassian.com/cloud/jira/platform/rest/v2/. The mode `old` has no /search/jql, as Data
Center has none. Run as `python -m tests.standins.jira_api`.
"""

from __future__ import annotations

import re
from typing import Any

from tests.standins.vendor import Api, Reply, Request, serve

ISSUE = re.compile(r"/rest/api/2/issue/([A-Z]+-\d+)(/comment)?\Z")
JQL = re.compile(r'project = "(\w+)" AND labels = "([\w.-]+)"( AND statusCategory != Done)? ORDER BY created DESC\Z')
KNOWN = {"project", "issuetype", "summary", "description", "labels"}


class Jira(Api):
    errors = {
        401: {"message": "Client must be authenticated to access this resource.", "status-code": 401},
        404: {"errorMessages": ["Issue does not exist or you do not have permission to see it."], "errors": {}},
        429: {"errorMessages": ["Rate limit exceeded."]},
        500: {"errorMessages": ["Internal server error"], "errors": {}},
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
        if request.path == "/rest/api/2/issue" and request.method == "POST":
            return self._create(request.json["fields"])
        if request.path == ("/rest/api/2/search" if request.mode == "old" else "/rest/api/2/search/jql"):
            return self._search(request.query)
        if match := ISSUE.fullmatch(request.path):
            return self._of_issue(match, request)
        return Reply(self.errors[404], 404)

    def _create(self, fields: dict[str, Any]) -> Reply:
        if unknown := set(fields) - KNOWN:
            return Reply({"errorMessages": [], "errors": dict.fromkeys(unknown, "Field cannot be set")}, 400)
        if any(" " in label for label in fields["labels"]):
            return Reply(
                {"errorMessages": [], "errors": {"labels": "The label contains spaces which is invalid."}}, 400
            )
        number = len(self.issues) + 1
        key = f"{fields['project']['key']}-{number}"
        status = {"name": "To Do", "statusCategory": {"key": "new"}}
        self.issues.append({"id": str(number), "key": key, "fields": {**fields, "status": status}, "comments": []})
        return Reply({"id": str(number), "key": key, "self": f"/rest/api/2/issue/{number}"}, 201)

    def _search(self, query: dict[str, str]) -> Reply:
        match = JQL.fullmatch(query["jql"])
        if match is None:
            return Reply({"errorMessages": [f"Error in the JQL Query: {query['jql']}"], "errors": {}}, 400)
        found = [
            issue for issue in reversed(self.issues)
            if match[2] in issue["fields"]["labels"]
            and not (match[3] and issue["fields"]["status"]["statusCategory"]["key"] == "done")
        ]  # fmt: skip
        return Reply({"issues": found, "isLast": True})

    def _of_issue(self, match: re.Match[str], request: Request) -> Reply:
        issue = next((one for one in self.issues if one["key"] == match[1]), None)
        if issue is None:
            return Reply(self.errors[404], 404)
        if not match[2]:
            if request.method == "PUT":  # of the tests: a person closes it, or opens it again
                is_done = request.json["state"] == "closed"
                status = ("Done", "done") if is_done else ("To Do", "new")
                issue["fields"]["status"] = {"name": status[0], "statusCategory": {"key": status[1]}}
            return Reply(issue)
        if request.method == "POST":
            issue["comments"].append({"id": str(len(issue["comments"]) + 1), "body": request.json["body"]})
            return Reply(issue["comments"][-1], 201)
        return Reply({"comments": issue["comments"][::-1], "total": len(issue["comments"])})


if __name__ == "__main__":
    serve(Jira())

"""Every kind of page that a person can open, for what is checked, or photographed, on all of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A page by its name, and who looks at it; "" for somebody who is not logged in."""

    name: str
    path: str
    who: str = "bob"
    is_missing: bool = False


def tour(waiting_run: int, request: int, finished_run: int, ticket: str) -> list[Place]:
    """The pages of a stack that holds a waiting run with its request and a finished one with its ticket."""
    return [
        Place("login", "/login/", who=""),
        Place("list-needs-you", "/?tab=needs"),
        Place("list-all", "/?tab=all"),
        Place("list-no-match", "/?tab=all&q=nothing+like+it"),
        Place("new", "/runs/new"),
        Place("new-refused", "/runs/new?goal="),
        Place("run-waiting", f"/runs/{waiting_run}/"),
        Place("run-finished", f"/runs/{finished_run}/"),
        Place("evidence-metrics", f"/runs/{finished_run}/evidence/E1"),
        Place("evidence-logs", f"/runs/{finished_run}/evidence/E2"),
        Place("evidence-changes", f"/runs/{finished_run}/evidence/E4"),
        Place("approval-open", f"/approvals/{request}/"),
        Place("approval-not-mine", f"/approvals/{request}/", who="alice"),
        Place("approvals", "/approvals/", who="alice"),
        Place("tickets", "/tickets/"),
        Place("ticket", f"/tickets/{ticket}"),
        Place("account", "/account/"),
        Place("password", "/account/password"),
        Place("admin", "/admin/", who="admin"),
        Place("admin-queue", "/admin/approvals/"),
        Place("admin-confirm", f"/admin/approvals/confirm?id={request}&decision=deny"),
        Place("admin-audit", "/admin/audit/"),
        Place("admin-users", "/admin/auth/user/", who="admin"),
        Place("admin-user", "/admin/auth/user/1/change/", who="admin"),
        Place("api", "/api/docs/"),
        Place("not-found", "/runs/999999/", is_missing=True),
    ]

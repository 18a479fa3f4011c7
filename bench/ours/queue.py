"""Our side of `queue`: the admin's approval queue as an approver opens it, over a given number of pending requests."""

from __future__ import annotations

import time
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from bench.answering import serve
from opspilot_site.database import prepare_database
from runs.audit.chain import canonical, digest
from runs.models import Run, Team, ToolCall
from runs.services.approvals import open_request
from runs.services.policies import Ruling
from runs.services.teams import add_member, default_team
from runs.states import CallStatus, Effect, Role, RunState

PATH = "/admin/approvals/"
_client = Client(SERVER_NAME="127.0.0.1")


def prepare(pending: int) -> dict[str, Any]:
    """Migrate, make the people and the requests, log the approver in."""
    prepare_database()
    team = default_team()
    starter, _ = User.objects.get_or_create(username="alice")
    voter, _ = User.objects.get_or_create(username="bob")
    add_member(team, starter, Role.OPERATOR)
    add_member(team, voter, Role.APPROVER)
    for number in range(pending):
        _ask(team, starter, number)
    _client.force_login(voter)
    return {}


def _ask(team: Team, starter: User, number: int) -> None:
    run = Run.objects.create(
        team=team, goal=f"Why did checkout page, {number}?", starter=starter, started_by="user:alice",
        planner="analyst", as_of=timezone.now(), state=RunState.NEEDS_APPROVAL, plan_seq=1, service="checkout",
    )  # fmt: skip
    args = {"title": f"checkout: errors {number}", "body": "Errors since 02:14, see E1.", "service": "checkout",
            "severity": "SEV3"}  # fmt: skip
    call = ToolCall.objects.create(
        run=run, plan_seq=1, index=0, request_id="r1", tool="create_ticket", args=args, risk="write",
        args_sha256=digest(canonical(args)), key=digest(f"{run.pk}"), effect=Effect.APPROVE, status=CallStatus.WAITING,
    )  # fmt: skip
    open_request(run, call, Ruling(Effect.APPROVE, 1, Role.APPROVER, "writes need one vote"), "on-call must know")


def look() -> dict[str, Any]:
    """One whole page: time, queries, bytes."""
    with CaptureQueriesContext(connection) as queries:
        _client.get(PATH)
    asked = len(queries)  # now: the next request clears the log
    started = time.perf_counter()
    answer = _client.get(PATH)
    took = time.perf_counter() - started
    assert answer.status_code == 200  # noqa: S101
    return {"ms": took * 1000, "queries": asked, "bytes": len(answer.content)}


if __name__ == "__main__":
    serve(prepare=prepare, look=look)

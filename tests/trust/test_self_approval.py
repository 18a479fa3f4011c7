"""Nobody approves what they asked for, whichever way they come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from rest_framework.test import APIClient

from runs.invariants import check_all
from runs.links import approval_link
from runs.models import Approval, AuditEvent, Team, Vote
from runs.services.edits import edit_request
from runs.services.teams import add_member
from runs.services.tokens import issue_token
from runs.states import ApprovalState, Role
from tests.runs.story import TICKET, parked

Try = Callable[[User, Approval], int]


def _page(user: User, approval: Approval) -> int:
    client = Client()
    client.force_login(user)
    body = {"decision": "approve", "args_sha256": approval.args_sha256}
    return client.post(f"/approvals/{approval.pk}/decide", body).status_code


def _token(user: User, approval: Approval) -> int:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {issue_token(user, 'own')[1]}")
    body = {"decision": "approve", "args_sha256": approval.args_sha256}
    return client.post(f"/api/approvals/{approval.pk}/decide", body, format="json").status_code


def _admin(user: User, approval: Approval) -> int:
    client = Client()
    client.force_login(user)
    body = {"id": [approval.pk], "decision": "approve", f"args_sha256-{approval.pk}": approval.args_sha256}
    page = client.post("/admin/approvals/decide", body, follow=True).content.decode()
    return 403 if f"Request {approval.pk} was not decided." in page else 200


def _command(user: User, approval: Approval, settings: Any) -> int:
    settings.TOKEN = issue_token(user, "shell")[1]
    try:
        call_command("approve", str(approval.pk), "--yes")
    except CommandError as error:
        return 403 if error.returncode == 1 else error.returncode
    return 200


def _link(user: User, approval: Approval) -> int:
    client = Client()
    client.force_login(user)
    path = urlsplit(approval_link(approval, user)).path
    body = {"decision": "approve", "args_sha256": approval.args_sha256}
    page = client.get(path, follow=True).content.decode()
    return 403 if client.post(path, body).status_code == 405 and "data-approve" not in page else 200


ROUTES: dict[str, Any] = {"page": _page, "token": _token, "admin": _admin, "command": _command, "link": _link}


@pytest.fixture
def ways(settings: Any) -> dict[str, Try]:
    return {**ROUTES, "command": lambda user, approval: _command(user, approval, settings)}


def _starter(team: Team, alice: User, bob: User) -> tuple[User, Approval]:
    add_member(team, alice, Role.ADMINISTRATOR)
    return alice, parked(team, alice)


def _editor(team: Team, alice: User, bob: User) -> tuple[User, Approval]:
    old = parked(team, alice)
    args = {**TICKET, "title": "a title of bob's"}
    return bob, edit_request(old.pk, user=bob, args=args, args_sha256=old.args_sha256)


def _superuser(team: Team, alice: User, bob: User) -> tuple[User, Approval]:
    root = User.objects.create_superuser("root")
    return root, parked(team, root)


@pytest.mark.parametrize("way", ROUTES)
@pytest.mark.parametrize("asker", [_starter, _editor, _superuser])
def test_who_asked_cannot_approve(
    team: Team, alice: User, bob: User, carol: User, ways: dict[str, Try], way: str, asker: Any
) -> None:
    person, approval = asker(team, alice, bob)
    assert ways[way](person, approval) == 403
    assert not Vote.objects.exists()
    assert Approval.objects.get(pk=approval.pk).state == ApprovalState.PENDING
    assert check_all() == []
    tried = AuditEvent.objects.filter(verb="vote_refused", actor=f"user:{person}", object=f"approval {approval.pk}")
    assert tried.count() == (0 if way == "link" else 1), "the attempt is on record"
    if way != "link":
        assert ways[way](carol, approval) in (200, 302), "the same way is open to somebody else"


def test_a_service_account_that_started_a_run_approves_neither_it_nor_anything_else(
    team: Team, alice: User, bob: User, ways: dict[str, Try]
) -> None:
    robot = User.objects.create_user("robot")
    add_member(team, robot, Role.APPROVER, is_service=True)
    for approval in (parked(team, robot), parked(team, alice)):
        for way in ("page", "token", "command"):
            assert ways[way](robot, approval) == 403, (approval, way)
    assert not Vote.objects.exists()
    assert check_all() == []

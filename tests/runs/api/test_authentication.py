"""Who gets in: tokens, sessions, nobody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import URLPattern, URLResolver
from django.utils import timezone
from rest_framework.test import APIClient

from runs.api.urls import urlpatterns
from runs.models import Team
from runs.services.errors import Refused
from runs.services.tokens import issue_token, revoke_token
from runs.shell import shell_actor, shell_runs, shell_voter
from tests.conftest import PASSWORD
from tests.runs.api.conftest import Caller
from tests.runs.api.problem import problem


def _addresses(patterns: list[URLPattern | URLResolver]) -> list[str]:
    found: list[str] = []
    for entry in patterns:
        if isinstance(entry, URLResolver):
            found += _addresses(entry.url_patterns)
        else:
            text = str(entry.pattern).replace("^", "").replace(r"\Z", "").replace("$", "")
            found.append(text.replace(r"(?P<pk>\d+)", "1").replace("(?P<name>[^/]+)", "E1"))
    return found


@pytest.mark.parametrize("scheme", ["Bearer", "Token", "bearer"])
def test_a_token_acts_as_its_user(alice: User, nobody: APIClient, scheme: str) -> None:
    _, plain = issue_token(alice, "laptop")

    response = nobody.get("/api/me", HTTP_AUTHORIZATION=f"{scheme} {plain}")

    assert response.json() == {
        "username": "alice",
        "is_superuser": False,
        "teams": [{"team": "default", "role": "operator", "is_service": False}],
    }


def test_a_session_acts_as_its_user(alice: User) -> None:
    client = APIClient()
    assert client.login(username="alice", password=PASSWORD)

    assert client.get("/api/me").json()["username"] == "alice"


def test_a_session_without_a_csrf_token_changes_nothing(alice: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.login(username="alice", password=PASSWORD)

    body = problem(client.post("/api/runs", {"goal": "Why?"}), 403, "permission_denied")

    assert "CSRF" in body["detail"]


def test_a_token_needs_no_csrf_token(alice: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    _, plain = issue_token(alice, "ci")

    assert client.post("/api/runs", {"goal": "Why?"}, HTTP_AUTHORIZATION=f"Bearer {plain}").status_code == 201


@pytest.mark.parametrize("address", sorted(set(_addresses(urlpatterns)) - {"docs/"}))
def test_no_address_answers_without_a_log_in(nobody: APIClient, db: None, address: str) -> None:
    for method in (nobody.get, nobody.post, nobody.delete):
        response = method(f"/api/{address}")
        problem(response, 401, "not_authenticated")
        assert response["WWW-Authenticate"].startswith("Bearer")


def test_the_swagger_page_sends_a_stranger_to_the_log_in(nobody: APIClient, db: None) -> None:
    response = nobody.get("/api/docs/")

    assert response.status_code == 302
    assert response["Location"].startswith("/login/")


def test_a_revoked_token_is_refused(alice: User, nobody: APIClient) -> None:
    token, plain = issue_token(alice, "lost")
    revoke_token(token)

    problem(nobody.get("/api/me", HTTP_AUTHORIZATION=f"Bearer {plain}"), 401, "invalid_token")


def test_an_expired_token_is_refused(alice: User, nobody: APIClient) -> None:
    token, plain = issue_token(alice, "old")
    token.expires_at = timezone.now() - timedelta(seconds=1)
    token.save()

    problem(nobody.get("/api/me", HTTP_AUTHORIZATION=f"Bearer {plain}"), 401, "invalid_token")


def test_the_token_of_a_disabled_user_is_refused(alice: User, by_token: Caller) -> None:
    client = by_token(alice)
    alice.is_active = False
    alice.save()

    problem(client.get("/api/me"), 401, "invalid_token")


@pytest.mark.parametrize("wrong", ["Bearer", "Bearer nonsense", "Bearer ops_a_b", "Token ops_" + "x" * 5_000])
def test_a_wrong_token_is_refused_even_beside_a_good_session(alice: User, wrong: str) -> None:
    client = APIClient()
    client.force_login(alice)

    problem(client.get("/api/me", HTTP_AUTHORIZATION=wrong), 401, "invalid_token")


def test_an_address_that_is_none_is_a_problem_and_not_a_page(alice: User, by_token: Caller) -> None:
    for address in ("/api/", "/api/rnus", "/api/runs/", "/api/runs/abc", "/api/runs/-1"):
        problem(by_token(alice).get(address), 404, "not_found")


def _with_token(plain: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {plain}")
    return client


READ, WRITE, DECIDE = "runs:read", "runs:write", "approvals:decide"


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("get", "/api/runs", READ), ("get", "/api/approvals", READ), ("get", "/api/me", READ),
        ("post", "/api/runs", WRITE), ("post", "/api/runs/1/cancel", WRITE), ("post", "/api/runs/1/notes", WRITE),
        ("post", "/api/approvals/1/decide", DECIDE), ("post", "/api/approvals/1/edit", DECIDE),
    ],
)  # fmt: skip
def test_a_token_does_only_what_it_was_made_for(alice: User, method: str, path: str, needed: str) -> None:
    for scope in (READ, WRITE, DECIDE):
        _, plain = issue_token(alice, scope, scopes=[scope])
        answer = getattr(_with_token(plain), method)(path, {}, format="json")
        code = answer.json().get("code") if answer.status_code >= 400 else ""
        assert (code == "missing_scope") == (scope != needed), (scope, answer.status_code, code)


def test_a_shell_needs_the_scope_of_its_command(team: Team, alice: User, bob: User, settings: Any) -> None:
    _, settings.TOKEN = issue_token(bob, "reader", scopes=[READ])
    assert shell_runs().count() == 0
    for act in (shell_actor, lambda: shell_voter(str)):
        with pytest.raises(Refused, match="lacks the scope"):
            act()

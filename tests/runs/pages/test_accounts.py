"""Personal tokens, the one-time set-up link and the demo's log-in links."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from runs.demo_links import demo_link
from runs.models import ApiToken, Installation, Membership, PolicyRule, Team
from runs.services.installation import make_setup_link
from runs.services.tokens import find_user, issue_token
from runs.states import Effect, Role
from tests.conftest import PASSWORD as CAST_PASSWORD

PASSWORD = "a long enough secret 7"
ASKED = {"name": "laptop", "days": "30", "scope": ["runs:read", "runs:write"]}


def made(client: Client, **fields: object) -> str:
    answer = client.post("/account/tokens", {**ASKED, **fields})
    assert answer.status_code == 200
    plain = re.search(r"ops_[0-9a-f]{8}_[\w-]+", answer.content.decode())
    assert plain is not None
    return plain[0]


def test_a_new_token_is_shown_once_and_works(as_alice: Client, alice: User) -> None:
    plain = made(as_alice)
    assert find_user(plain) == alice
    assert plain not in as_alice.get("/account/").content.decode()
    assert plain.split("_", 2)[2] not in str(ApiToken.objects.values())


@pytest.mark.parametrize(
    "fields",
    [
        {"name": " "}, {"days": "0"}, {"days": "91"}, {"days": "x"}, {"days": "9" * 40}, {"scope": []},
        {"scope": ["runs:read", "everything"]},
    ],
)  # fmt: skip
def test_a_token_without_a_name_or_with_a_foolish_lifetime_is_refused(as_alice: Client, fields: dict[str, str]) -> None:
    assert as_alice.post("/account/tokens", {**ASKED, **fields}).status_code == 400
    assert not ApiToken.objects.exists()


def test_a_token_is_for_what_was_ticked_and_the_page_says_so(as_alice: Client) -> None:
    made(as_alice, scope=["approvals:decide", "runs:read"])
    assert ApiToken.objects.get().scopes == ["runs:read", "approvals:decide"]
    page = as_alice.get("/account/").content.decode()
    assert re.findall(r'value="([a-z]+:[a-z]+)"( checked)?', page) == [
        ("runs:read", " checked"), ("runs:write", " checked"), ("approvals:decide", ""),
    ]  # fmt: skip
    assert "approvals:decide</span>" in page.split("<tbody>")[1]


def test_a_revoked_token_works_no_more(as_alice: Client, alice: User) -> None:
    plain = made(as_alice)
    answer = as_alice.post(f"/account/tokens/{ApiToken.objects.get().pk}/revoke", follow=True)
    assert "no longer works" in answer.content.decode()
    assert find_user(plain) is None


def test_nobody_revokes_another_persons_token(as_mallory: Client, alice: User) -> None:
    token, plain = issue_token(alice, "laptop")
    assert as_mallory.post(f"/account/tokens/{token.pk}/revoke").status_code == 404
    assert find_user(plain) == alice


def test_a_page_that_is_only_opened_makes_and_revokes_nothing(as_alice: Client, alice: User) -> None:
    token, plain = issue_token(alice, "laptop")
    assert as_alice.get("/account/tokens?name=x&days=7").status_code == 405
    assert as_alice.get(f"/account/tokens/{token.pk}/revoke").status_code == 405
    assert find_user(plain) == alice
    assert ApiToken.objects.count() == 1


def test_tokens_want_a_login_and_the_forms_token(client: Client, alice: User) -> None:
    assert client.get("/account/").url.startswith("/login/")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    assert strict.post("/account/tokens", {"name": "laptop", "days": "30"}).status_code == 403


def test_an_expired_token_is_said_to_be_expired(as_alice: Client, alice: User) -> None:
    issue_token(alice, "laptop")
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(days=1))
    page = as_alice.get("/account/").content.decode()
    assert "expired" in page
    assert "Revoke" not in page.split("<tbody>")[1]


def change(client: Client, old: str, new: str):
    return client.post("/account/password", {"old_password": old, "new_password1": new, "new_password2": new})


def test_changing_the_password_wants_the_old_one_and_ends_other_sessions(as_alice: Client, alice: User) -> None:
    elsewhere = Client()
    elsewhere.force_login(alice)
    assert change(as_alice, "wrong", PASSWORD).status_code == 200
    alice.refresh_from_db()
    assert not alice.check_password(PASSWORD)
    assert change(as_alice, CAST_PASSWORD, PASSWORD).status_code == 302
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
    assert as_alice.get("/account/").status_code == 200
    assert elsewhere.get("/account/").status_code == 302


def setup(client: Client, token: str, **fields: str):
    body = {"username": "root", "password": PASSWORD, "again": PASSWORD, "people": "several", **fields}
    return client.post(f"/setup/{token}", body)


@pytest.fixture
def link(team: Team) -> str:
    token = make_setup_link()
    assert token is not None
    return token


def test_the_set_up_link_makes_the_first_administrator_once(client: Client, link: str, team: Team) -> None:
    assert client.get(f"/setup/{link}").status_code == 200
    assert setup(client, link).status_code == 302
    root = User.objects.get(username="root")
    assert root.is_superuser
    assert root.check_password(PASSWORD)
    assert Membership.objects.get(user=root).role == Role.ADMINISTRATOR
    assert client.session["_auth_user_id"] == str(root.pk)
    assert setup(Client(), link, username="second").status_code == 404
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"again": "something else"}, "The two passwords differ."),
        ({"password": "short", "again": "short"}, "too short"),
        ({"password": "qwertyqwerty", "again": "qwertyqwerty"}, "too common"),
        ({"username": "a b<c>"}, "valid username"),
        ({"username": ""}, "required"),
    ],
)
def test_a_refused_set_up_says_why_and_keeps_the_link(
    client: Client, link: str, fields: dict[str, str], words: str
) -> None:
    answer = setup(client, link, **fields)
    assert answer.status_code == 400
    assert words in answer.content.decode()
    assert not User.objects.exists()
    assert setup(client, link).status_code == 302


def test_one_person_alone_confirms_writes_herself(client: Client, link: str) -> None:
    setup(client, link, people="one")
    assert PolicyRule.objects.get(risk="write").effect == Effect.CONFIRM


def test_a_wrong_set_up_link_is_no_page(client: Client, link: str) -> None:
    assert client.get("/setup/guess").status_code == 404
    assert setup(client, "guess").status_code == 404
    assert not User.objects.exists()


@pytest.fixture
def demo(team: Team) -> None:
    Installation.objects.update(demo=True)


@pytest.mark.usefixtures("demo")
def test_a_demo_link_logs_in_once_and_only_by_the_button(client: Client, alice: User) -> None:
    path = demo_link(alice)
    assert "Continue as alice" in client.get(path).content.decode()
    client.head(path)
    assert "_auth_user_id" not in client.session
    assert client.post(path).status_code == 302
    assert client.session["_auth_user_id"] == str(alice.pk)
    other = Client()
    assert other.post(path).status_code == 410
    assert "_auth_user_id" not in other.session


@pytest.mark.usefixtures("demo")
def test_a_demo_link_of_one_person_opens_no_other(client: Client, alice: User, bob: User) -> None:
    token = demo_link(alice).rsplit("/", 1)[1]
    assert client.post(f"/demo/bob/{token}").status_code == 410
    assert client.post(f"/demo/alice/{token}x").status_code == 410


def test_without_a_demo_database_a_demo_link_opens_nothing(client: Client, alice: User) -> None:
    assert client.post(demo_link(alice)).status_code == 410
    assert "_auth_user_id" not in client.session

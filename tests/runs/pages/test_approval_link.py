"""The link of a notification: it leads one person to one page, and decides nothing."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import pytest
from django.contrib.auth.models import User
from django.core import signing
from django.test import Client

from runs.links import LIFE_S, approval_link
from runs.models import Approval, Team, Vote
from runs.states import ApprovalState
from tests.conftest import PASSWORD
from tests.runs.making import make_request

pytestmark = pytest.mark.django_db


@pytest.fixture
def approval(team: Team, alice: User) -> Approval:
    return make_request(team, alice)


def _path(approval: Approval, user: User) -> str:
    return urlsplit(approval_link(approval, user)).path


def test_it_leads_to_the_decision(as_bob: Client, bob: User, approval: Approval) -> None:
    answer = as_bob.get(_path(approval, bob))
    assert (answer.status_code, answer["Location"]) == (302, f"/approvals/{approval.pk}/")


def test_whoever_is_not_logged_in_comes_back_to_it_after_the_log_in(client: Client, bob: User, approval: Approval):
    path = _path(approval, bob)
    asked = client.get(path)
    assert asked["Location"] == f"/login/?next={quote(path)}"
    back = client.post(asked["Location"], {"username": "bob", "password": PASSWORD, "next": path}, follow=True)
    assert back.redirect_chain == [(path, 302), (f"/approvals/{approval.pk}/", 302)]
    assert "You may vote." in back.content.decode()


def test_it_is_for_one_person(as_bob: Client, carol: User, approval: Approval) -> None:
    answer = as_bob.get(_path(approval, carol))
    assert answer.status_code == 403
    assert "sent to somebody else" in answer.content.decode()


def test_it_opens_nothing_that_the_person_may_not_see(as_mallory: Client, mallory: User, approval: Approval) -> None:
    assert as_mallory.get(_path(approval, mallory), follow=True).status_code == 404


def test_every_altered_character_spoils_it(as_bob: Client, bob: User, approval: Approval) -> None:
    path = _path(approval, bob)
    start = path.index("/open/") + len("/open/")
    for place in range(start, len(path) - 1):  # of the last character two bits carry nothing
        other = "A" if path[place] != "A" else "B"
        assert as_bob.get(path[:place] + other + path[place + 1 :]).status_code == 404, place


def test_a_word_that_was_signed_for_something_else_is_no_link(as_bob: Client, bob: User, approval: Approval) -> None:
    assert as_bob.get(f"/open/{signing.dumps([approval.pk, bob.pk])}").status_code == 404


def test_after_a_week_it_has_expired(
    as_bob: Client, bob: User, approval: Approval, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs.links.LIFE_S", -1)
    answer = as_bob.get(_path(approval, bob))
    assert (answer.status_code, LIFE_S) == (410, 604_800)
    assert "To the approvals" in answer.content.decode()


@pytest.mark.parametrize("method", ["get", "head", "post", "put", "delete"])
def test_following_it_decides_nothing(as_bob: Client, bob: User, approval: Approval, method: str) -> None:
    body = {"decision": "approve", "args_sha256": approval.args_sha256}
    answer = getattr(as_bob, method)(_path(approval, bob), body)
    assert answer.status_code == (302 if method in ("get", "head") else 405)
    assert not Vote.objects.exists()
    assert Approval.objects.get().state == ApprovalState.PENDING

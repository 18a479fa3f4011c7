"""Tickets: the list, one ticket, and that its text does nothing but be read."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from runs.models import AuditEvent, Team, Ticket
from runs.services.teams import add_member
from runs.states import CallStatus, Role
from tests.runs.making import make_call, make_run


@pytest.fixture
def ticket(team: Team, alice: User) -> Ticket:
    return _ticket(team, alice, title="orders-api: pool exhausted", body="# Impact\n\n- 18 % of checkouts fail")


def _ticket(team: Team, starter: User, **columns: object) -> Ticket:
    run = make_run(team, starter)
    call = make_call(run, status=CallStatus.SUCCESS)
    defaults = {"key": call.key, "service": "orders-api", "severity": "SEV2", "created_at": timezone.now()}
    return Ticket.objects.create(run=run, call=call, **{**defaults, **columns})


def test_the_list_leads_to_the_ticket_and_the_ticket_to_its_run(as_alice: Client, ticket: Ticket) -> None:
    assert f'href="/tickets/{ticket.name}"' in as_alice.get("/tickets/").content.decode()
    page = as_alice.get(f"/tickets/{ticket.name}").content.decode()
    for part in ("orders-api: pool exhausted", f'href="/runs/{ticket.run_id}/"', ticket.key, "<h3>Impact</h3>"):
        assert part in page


def test_hostile_text_is_inert_in_list_and_page(as_alice: Client, team: Team, alice: User) -> None:
    body = "![p](https://evil.example/p.png) [l](javascript:alert(1)) <img src=x onerror=alert(1)>"
    hostile = _ticket(team, alice, title="<script>alert(1)</script> \u202ex", body=body)
    for url in ("/tickets/", f"/tickets/{hostile.name}"):
        page = as_alice.get(url).content.decode()
        for forbidden in ("<script>alert", "<img src=x", "\u202e", 'href="javascript', 'src="https://evil'):
            assert forbidden not in page


def test_search_and_state_narrow_the_list(as_alice: Client, team: Team, alice: User, ticket: Ticket) -> None:
    _ticket(team, alice, title="search-api: slow", body="p99 is 5 s", service="search-api", state=Ticket.State.CLOSED)
    assert "search-api: slow" not in as_alice.get("/tickets/", {"q": "POOL"}).content.decode()
    assert "pool exhausted" not in as_alice.get("/tickets/", {"state": "closed"}).content.decode()
    assert "No ticket matches" in as_alice.get("/tickets/", {"q": "nothing like it"}).content.decode()


@pytest.mark.parametrize("name", ["T-999", "T-0", "T-99999999999999999999", "OPS-1", "T-x"])
def test_a_ticket_that_is_not_there_is_not_found(as_alice: Client, ticket: Ticket, name: str) -> None:
    assert as_alice.get(f"/tickets/{name}").status_code == 404


def test_another_teams_tickets_do_not_exist(as_mallory: Client, ticket: Ticket) -> None:
    assert as_mallory.get(f"/tickets/{ticket.name}").status_code == 404
    assert "No tickets yet" in as_mallory.get("/tickets/").content.decode()


def test_a_ticket_of_an_outside_tracker_goes_by_its_own_name(as_alice: Client, team: Team, alice: User) -> None:
    _ticket(team, alice, title="Pool", body="x", tracker="jira", external_id="OPS-412")
    assert as_alice.get("/tickets/OPS-412").status_code == 200


def test_tickets_want_a_login(client: Client, ticket: Ticket) -> None:
    assert client.get("/tickets/").url.startswith("/login/")
    assert client.get(f"/tickets/{ticket.name}").url.startswith("/login/")


def test_a_ticket_kept_here_is_closed_and_opened_again_and_that_is_on_record(as_alice: Client, ticket: Ticket) -> None:
    url = f"/tickets/{ticket.name}"
    assert "Close this ticket" in as_alice.get(url).content.decode()
    page = as_alice.post(f"{url}/state", {"state": "closed"}, follow=True).content.decode()
    assert "Open it again" in page and "Close this ticket" not in page
    as_alice.post(f"{url}/state", {"state": "closed"})
    as_alice.post(f"{url}/state", {"state": "open"})
    events = AuditEvent.objects.filter(verb="ticket_change", actor="user:alice", object=ticket.name)
    assert [event.payload["after"]["state"] for event in events] == ["closed", "open"]


def test_who_may_only_look_and_outsiders_close_nothing(
    as_mallory: Client, team: Team, ticket: Ticket, client: Client
) -> None:
    viewer = User.objects.create_user("vera")
    add_member(team, viewer, Role.VIEWER)
    client.force_login(viewer)
    url = f"/tickets/{ticket.name}/state"
    assert "Viewers may look only" in client.post(url, {"state": "closed"}, follow=True).content.decode()
    assert as_mallory.post(url, {"state": "closed"}).status_code == 404
    ticket.refresh_from_db()
    assert ticket.state == "open"


def test_one_in_a_tracker_is_closed_there(as_alice: Client, team: Team, alice: User) -> None:
    outside = _ticket(team, alice, title="pool exhausted", body="-", tracker="jira", external_id="OPS-1")
    assert "Close this ticket" not in as_alice.get("/tickets/OPS-1").content.decode()
    page = as_alice.post("/tickets/OPS-1/state", {"state": "closed"}, follow=True).content.decode()
    assert "close it there" in page
    outside.refresh_from_db()
    assert outside.state == "open"

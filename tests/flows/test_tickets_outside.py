"""Tickets in a tracker outside: approved for exactly that tracker, made once, commented on, brought up to date."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from agent.jobs import tool_host
from runs.following import look_up_tickets
from runs.models import Approval, AuditEvent, Run, Team, Ticket, TicketComment, ToolCall
from runs.services.approvals import decide_approval
from runs.services.errors import Refused
from runs.services.tickets import record_tickets
from runs.states import RunState
from tests.agent.scripted import ScriptedPlanner, calls, concludes
from tests.flows.driving import go_on, start
from tests.flows.incident import write_incident
from tests.flows.test_investigation import TICKET
from tests.runs.making import make_call, make_run
from tests.standins.vendor import running
from tools.configuration import Configuration, configure, current

pytestmark = pytest.mark.django_db(transaction=True)
NOTHING = {"verdict": "cannot_tell", "summary": "The ticket was all that was wanted.", "claims": []}
Use = Callable[..., None]


@pytest.fixture
def jira() -> Iterator[Callable[[str], str]]:
    with running("jira_api") as url:
        yield url


@pytest.fixture
def set_tracker() -> Iterator[Use]:
    """Sets the tracker, as a restart with another OPSPILOT_TICKETS does."""
    before = current()

    def use_it(configuration: Configuration) -> None:
        configure(configuration)
        tool_host().stop()

    yield lambda url: use_it(Configuration(tickets=url))
    use_it(before)


@pytest.fixture
def use(set_tracker: Use, jira: Callable[[str], str]) -> Use:
    """Sets Jira; the mode is that of the stand-in."""
    return lambda mode, project="OPS": set_tracker(f"jira+{jira(mode)}?project={project}")


def _issues(tracker: Callable[[str], str]) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{tracker('ok')}/_seen") as answer:  # noqa: S310 - our own address
        return list(json.load(answer))


def _set_state(jira: Callable[[str], str], name: str, state: str) -> None:
    url, body = f"{jira('ok')}/rest/api/2/issue/{name}", json.dumps({"state": state}).encode()
    urllib.request.urlopen(urllib.request.Request(url, data=body, method="PUT")).close()  # noqa: S310


def _approved(run: Run, bob: User) -> Approval:
    approval = Approval.objects.filter(run=run).latest("id")
    return decide_approval(approval.pk, user=bob, approve=True, args_sha256=approval.args_sha256)


def _asked(team: Team, alice: User, tmp_path: Path, tool: str, args: dict[str, Any]) -> Run:
    folder = tmp_path / "incident"
    run = start(team, alice, folder if folder.exists() else write_incident(folder), "Investigate, create a ticket")
    return go_on(run, ScriptedPlanner(calls((tool, args))))


def test_the_approver_reads_where_it_goes_and_it_goes_there_once(
    team: Team, alice: User, bob: User, tmp_path: Path, use: Use, jira: Callable[[str], str]
) -> None:
    use("ok")
    run = _asked(team, alice, tmp_path, "create_ticket", TICKET)
    assert Approval.objects.get(run=run).preview["destination"] == "Jira project OPS at 127.0.0.1"
    assert _issues(jira) == []

    _approved(run, bob)
    run = go_on(run, ScriptedPlanner(concludes(NOTHING)))

    (issue,) = _issues(jira)
    assert f"/runs/{run.pk}/" in issue["fields"]["description"]
    ticket = Ticket.objects.get()
    assert (ticket.name, ticket.tracker, ticket.url) == ("OPS-1", "jira", f"{jira('ok')}/browse/OPS-1")


@pytest.mark.parametrize("fault", ["late-cut", "late-malformed"])
def test_a_lost_answer_makes_no_second_ticket(
    fault: str, team: Team, alice: User, bob: User, tmp_path: Path, use: Use, jira: Callable[[str], str]
) -> None:
    use(fault)
    run = _asked(team, alice, tmp_path, "create_ticket", TICKET)
    _approved(run, bob)
    go_on(run, ScriptedPlanner(concludes(NOTHING)))

    issues = _issues(jira)
    if fault == "late-cut":  # it was made before the answer broke off: the look-up by its key found it
        assert len(issues) == 1
        assert Ticket.objects.get().external_id == "OPS-1"
    else:  # something in between answered with a page, twice: nobody can know
        assert issues == []
        assert ToolCall.objects.get(run=run).status == "outcome_unknown"
        assert Run.objects.get(pk=run.pk).state == RunState.NEEDS_APPROVAL


@pytest.mark.parametrize("fault", ["401", "404", "429", "500", "cut", "malformed", "late-401"])
def test_a_tracker_that_refuses_is_said_and_the_run_goes_on(
    fault: str, team: Team, alice: User, bob: User, tmp_path: Path, use: Use, jira: Callable[[str], str]
) -> None:
    use(fault)
    run = _asked(team, alice, tmp_path, "create_ticket", TICKET)
    _approved(run, bob)
    run = go_on(run, ScriptedPlanner(concludes(NOTHING)))

    call = ToolCall.objects.get(run=run)
    assert (call.status, run.state) == ("error", RunState.DONE)
    assert "The tracker at http://127.0.0.1" in call.summary
    assert _issues(jira) == []


@pytest.mark.parametrize("fault", ["401", "404", "429", "500", "cut", "malformed"])
def test_a_refusal_of_github_is_said_too_and_the_run_goes_on(
    fault: str, team: Team, alice: User, bob: User, tmp_path: Path, set_tracker: Use
) -> None:
    with running("github_api") as url:
        set_tracker(f"github+{url(fault)}/acme/shop")
        run = _asked(team, alice, tmp_path, "create_ticket", TICKET)
        _approved(run, bob)
        run = go_on(run, ScriptedPlanner(concludes(NOTHING)))
        made = _issues(url)

    call = ToolCall.objects.get(run=run)
    assert (call.status, run.state, made) == ("error", RunState.DONE, [])
    assert "The tracker at http://127.0.0.1" in call.summary


def test_an_address_too_long_to_keep_is_left_out(team: Team, alice: User) -> None:
    call = make_call(make_run(team, alice), args={"ticket": "x"})
    data = {**TICKET, "tracker": "webhook", "external_id": "I" * 500, "url": "https://x/" + "y" * 600}

    record_tickets(call.run, call, "success", data, timezone.now())

    ticket = Ticket.objects.get()
    assert (ticket.url, len(ticket.external_id)) == ("", 120)


def test_what_was_approved_for_one_tracker_does_not_run_in_another(
    team: Team, alice: User, bob: User, tmp_path: Path, use: Use, jira: Callable[[str], str]
) -> None:
    use("ok")
    run = _asked(team, alice, tmp_path, "create_ticket", TICKET)
    use("ok", "SECRET")

    with pytest.raises(Refused) as refused:
        _approved(run, bob)

    assert refused.value.code == "operands_changed"
    assert _issues(jira) == []


def test_an_open_ticket_gets_a_comment_that_names_it_before(
    team: Team, alice: User, bob: User, tmp_path: Path, use: Use, jira: Callable[[str], str], as_bob: Client
) -> None:
    use("ok")
    first = _asked(team, alice, tmp_path, "create_ticket", TICKET)
    _approved(first, bob)
    go_on(first, ScriptedPlanner(concludes(NOTHING)))

    comment = {"ticket": "OPS-1", "title": TICKET["title"], "text": "It happens again, with the same pool."}
    look, say = calls(("find_tickets", {"service": "billing"})), calls(("comment_on_ticket", comment))
    planner = ScriptedPlanner(look, say)
    run = go_on(start(team, alice, tmp_path / "incident", "Investigate, create a ticket"), planner)
    told = planner.seen[1].items[-1]
    assert told.data["tickets"][0]["name"] == "OPS-1"
    assert Approval.objects.get(run=run).preview["sentence"] == (
        "Comment on OPS-1 “billing: pool exhausted”, which is open already."
    )

    page = as_bob.get(f"/approvals/{Approval.objects.get(run=run).pk}/", follow=True).content.decode()
    assert "No other ticket for billing is open." in page, "the one that gets the comment is no warning"
    assert "A link to this run and the key of this call stand at the end." in page

    _approved(run, bob)
    go_on(run, ScriptedPlanner(concludes(NOTHING)))

    (issue,) = _issues(jira)
    assert len(issue["comments"]) == 1
    assert TicketComment.objects.get().ticket.name == "OPS-1"


def test_a_ticket_that_was_closed_there_is_closed_here(
    team: Team, alice: User, bob: User, tmp_path: Path, use: Use, jira: Callable[[str], str]
) -> None:
    use("ok")
    run = _asked(team, alice, tmp_path, "create_ticket", TICKET)
    _approved(run, bob)
    go_on(run, ScriptedPlanner(concludes(NOTHING)))
    _set_state(jira, "OPS-1", "closed")

    look = calls(("find_tickets", {"service": "billing"}))
    go_on(start(team, alice, tmp_path / "incident"), ScriptedPlanner(look, concludes(NOTHING)))

    assert Ticket.objects.get().state == Ticket.State.CLOSED


def test_the_reconciler_reads_back_what_became_of_it(
    team: Team, alice: User, bob: User, tmp_path: Path, use: Use, jira: Callable[[str], str], as_alice: Client
) -> None:
    """Closed there, then opened again, then no longer known: without any run that looks."""
    use("ok")
    run = _asked(team, alice, tmp_path, "create_ticket", TICKET)
    _approved(run, bob)
    go_on(run, ScriptedPlanner(concludes(NOTHING)))
    assert "Jira has not been asked since" in as_alice.get("/tickets/OPS-1").content.decode()

    seen = []
    for state in ("closed", "closed", "open"):
        _set_state(jira, "OPS-1", state)
        Ticket.objects.filter(looked_up_at__isnull=False).update(looked_up_at=timezone.now() - timedelta(hours=2))
        look_up_tickets()
        seen.append(Ticket.objects.get().state)
    use("ok", "NEW")
    Ticket.objects.update(external_id="NEW-7", looked_up_at=None)
    look_up_tickets()

    assert [*seen, Ticket.objects.get().state] == ["closed", "closed", "open", "gone"]
    assert "it has no such ticket" in as_alice.get("/tickets/NEW-7").content.decode()
    events = AuditEvent.objects.filter(verb="ticket_change", actor="system").order_by("seq")
    assert [event.payload["after"]["state"] for event in events] == ["closed", "open", "gone"]
    assert look_up_tickets() == 0, "it was asked a moment ago"


@pytest.mark.parametrize("fault", ["401", "429", "500", "cut", "malformed", "shape"])
def test_a_tracker_that_does_not_answer_changes_no_ticket(
    fault: str, team: Team, alice: User, bob: User, tmp_path: Path, use: Use, caplog: pytest.LogCaptureFixture
) -> None:
    use("ok")
    run = _asked(team, alice, tmp_path, "create_ticket", TICKET)
    _approved(run, bob)
    go_on(run, ScriptedPlanner(concludes(NOTHING)))
    use(fault)

    assert look_up_tickets() == 0

    ticket = Ticket.objects.get()
    assert (ticket.state, ticket.looked_up_at) == ("open", None)
    assert "The tracker at http://127.0.0.1" in caplog.text


def test_the_list_kept_here_takes_comments_too(team: Team, alice: User, bob: User, tmp_path: Path) -> None:
    run = _asked(team, alice, tmp_path, "create_ticket", TICKET)
    _approved(run, bob)
    go_on(run, ScriptedPlanner(concludes(NOTHING)))
    name = Ticket.objects.get().name

    run = _asked(team, alice, tmp_path, "comment_on_ticket", {"ticket": name, "text": "It happens again."})
    assert Approval.objects.get(run=run).preview["sentence"] == f"Comment on {name}, which is open already."
    _approved(run, bob)
    go_on(run, ScriptedPlanner(concludes(NOTHING)))

    assert [comment.text for comment in Ticket.objects.get().comments.all()] == ["It happens again."]

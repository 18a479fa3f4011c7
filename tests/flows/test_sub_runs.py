"""Rival explanations looked into side by side: runs of their own that only read, whose findings the parent cites."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from agent.proposals import DELEGATES
from opspilot_site.management.commands.tail import is_at_rest
from opspilot_site.replay import replay
from runs import faults
from runs.invariants import check_all
from runs.models import Run, Team, ToolCall
from runs.models.run import WAITS
from runs.reconcile import reconcile_once
from runs.services.actors import Actor
from runs.services.runs import cancel_run, release_hold
from runs.services.subruns import SHARED, spent_by
from runs.states import Outcome, RunState
from tests.agent.claude.cases import a_call, a_turn, texts_of
from tests.flows.incident import write_incident
from tests.standins.messages_api import MessagesApi, messages_api
from tests.trust.thinking import a_run, drive, looks, opens_ticket, reports, think_with

pytestmark = pytest.mark.django_db(transaction=True)

ASKS = a_turn(
    a_call(
        "d",
        DELEGATES,
        questions=[
            {"hypothesis": "H1", "question": "Did the pool of billing run out of connections?"},
            {"hypothesis": "H2", "question": "Was the disk of billing slow at that time?"},
        ],
    )
)
QUOTE = "connection not available, timed out after 5000ms"
TIMED_OUT = {"id": "C1", "statement": "It times out.", "kind": "quote", "evidence": "E1", "quote": QUOTE}
CAUSE = {
    "verdict": "cause", "summary": "The pool of billing is empty.",
    "root_cause": {"entity": "billing", "kind": "capacity", "mechanism": "no connection is left"},
}  # fmt: skip
SEES = a_turn(a_call("e", "search_logs", level="ERROR"))
FIRST = [SEES, reports(**CAUSE, claims=[TIMED_OUT])]  # of S1
SECOND = [looks(2), reports(summary="Nothing speaks of the disk.")]  # of S2
THEIRS = reports(**CAUSE, claims=[{**TIMED_OUT, "evidence": "S1.E1"}, {**TIMED_OUT, "id": "C2", "evidence": "S2.E1"}])


@pytest.fixture
def parent(team: Team, alice: User, settings: Any, tmp_path: Path) -> Run:
    settings.SUB_RUNS = True
    return a_run(team, alice, write_incident(tmp_path / "incident"), goal="Why does billing time out?")


def _drive_all(api: MessagesApi, settings: Any, parent: Run) -> Run:
    think_with(settings, api.url)
    assert drive(parent).run.hold_reason == WAITS
    for child in Run.objects.filter(parent=parent).order_by("place"):
        drive(child)
    return drive(parent).run


def test_their_findings_come_back_and_their_evidence_is_cited(
    parent: Run, as_alice: Client, settings: Any, tmp_path: Path
) -> None:
    with messages_api(tmp_path, [ASKS, *FIRST, *SECOND, THEIRS, THEIRS]) as api:
        ended = _drive_all(api, settings, parent)
        told = texts_of(api.bodies[5]["messages"][-1])[0]
    assert ended.state == RunState.DONE, ended.failure
    assert "S1 on H1, LIKELY: The pool of billing is empty." in told and f"[{QUOTE}]" in told
    assert "S2 on H2, INCONCLUSIVE: Nothing speaks of the disk." in told
    assert [claim["evidence"] for claim in ended.report["claims"]] == ["S1.E1"]
    assert [claim["detail"] for claim in ended.report["did_not_hold"]] == [
        "S2.E1 found nothing; it can only support an absence"
    ]
    assert ended.outcome == Outcome.LIKELY
    page = as_alice.get(f"/runs/{parent.pk}/").content.decode()
    assert "Looked into side by side" in page and "Did the pool of billing run out of connections?" in page
    evidence = as_alice.get(f"/runs/{parent.pk}/evidence/S1.E1")
    assert evidence.status_code == 200 and QUOTE in evidence.content.decode()
    assert list(check_all()) == []
    assert replay(ended).difference is None


def test_they_share_the_budget_and_cannot_go_further_down(parent: Run, settings: Any, tmp_path: Path) -> None:
    before = parent.budget
    with messages_api(tmp_path, [ASKS, ASKS, opens_ticket(), reports()]) as api:
        think_with(settings, api.url)
        drive(parent)
        children = list(Run.objects.filter(parent=parent).order_by("place"))
        ended = drive(children[0]).run
        offered = {tool["name"] for tool in api.bodies[1]["tools"]}
    parent.refresh_from_db()
    for name in SHARED:
        assert parent.budget[name] + sum(child.budget[name] for child in children) == before[name]
    assert not offered & {DELEGATES, "create_ticket"}
    refused = {call.tool: call.summary for call in ToolCall.objects.filter(run=ended)}
    assert refused["create_ticket"] == "This investigation is part of another one and only reads."
    assert not Run.objects.filter(parent=ended).exists()
    assert ended.state == RunState.DONE


def test_what_they_did_not_use_comes_back_once_and_the_page_says_so(
    parent: Run, as_alice: Client, settings: Any, tmp_path: Path
) -> None:
    before = parent.budget
    with messages_api(tmp_path, [ASKS, *FIRST, *SECOND, reports()]) as api:
        think_with(settings, api.url)
        drive(parent)
        waiting = _given(as_alice, parent)
        for child in Run.objects.filter(parent=parent).order_by("place"):
            drive(child)
        ended = drive(parent).run
    children = list(Run.objects.filter(parent=parent))
    spent = {name: sum(spent_by(child)[name] for child in children) for name in SHARED}
    assert {name: ended.budget[name] + spent[name] for name in SHARED} == {name: before[name] for name in SHARED}
    assert min(spent.values()) > 0
    assert waiting["tool calls"] == [str(sum(child.budget["tool_calls"] for child in children)), "0", "–"]
    given, used, returned = map(int, _given(as_alice, parent)["tool calls"])
    assert (used, returned) == (spent["tool_calls"], given - used)
    page = as_alice.get(f"/runs/{parent.pk}/").content.decode()
    assert "Its sub-runs have ended" in page and "<strong>system</strong>" not in page


def _given(client: Client, run: Run) -> dict[str, list[str]]:
    """The rows of the table that says what sub-runs were given."""
    page = client.get(f"/runs/{run.pk}/").content.decode()
    table = page[page.index('id="given"') :]
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in table[: table.index("</table>")].split("<tr>")[2:]]
    return {name: values for name, *values in cells}


def test_a_waiting_parent_says_for_what_and_where_that_is(
    parent: Run, as_alice: Client, settings: Any, tmp_path: Path
) -> None:
    with messages_api(tmp_path, [ASKS, *FIRST]) as api:
        think_with(settings, api.url)
        drive(parent)
        one, two = Run.objects.filter(parent=parent).order_by("place")
        page, listed = (as_alice.get(url).content.decode() for url in (f"/runs/{parent.pk}/", "/?tab=all"))
        assert all("Waiting for 2 sub-runs" in text and "Held" not in text for text in (page, listed))
        assert all(f'href="/runs/{part.pk}/">S{part.place}, run {part.pk}</a>' in page for part in (one, two))
        assert "Release it" not in page, "nobody has to end this wait, and nobody could"
        drive(one)
        page = as_alice.get(f"/runs/{parent.pk}/").content.decode()
    assert (
        "Waiting for 1 sub-run:" in page and f">S2, run {two.pk}</a>" in page and f">S1, run {one.pk}</a>" not in page
    )
    assert not is_at_rest(Run.objects.get(pk=parent.pk)), "who follows it in a terminal stays with it"


def test_a_parent_goes_on_when_the_last_has_ended_whoever_dies(parent: Run, settings: Any, tmp_path: Path) -> None:
    with messages_api(tmp_path, [ASKS, *FIRST, *SECOND, THEIRS, THEIRS]) as api:
        think_with(settings, api.url)
        drive(parent)
        one, two = Run.objects.filter(parent=parent).order_by("place")
        drive(one)
        parent.refresh_from_db()
        assert parent.hold_reason == WAITS, "S2 has not ended"
        release_hold(parent.pk, Actor.system())
        assert drive(parent).run.hold_reason == WAITS, "let go too early, it waits again"
        drive(two)
        # As if the process had died between the last step of S2 and telling its parent.
        Run.objects.filter(pk=parent.pk).update(hold_reason=WAITS)
        reconcile_once()
        parent.refresh_from_db()
        assert parent.hold_reason == ""
        assert drive(parent).run.state == RunState.DONE


def test_the_parents_page_says_how_far_each_of_them_is(
    parent: Run, as_alice: Client, settings: Any, tmp_path: Path
) -> None:
    with messages_api(tmp_path, [ASKS, *FIRST]) as api:
        think_with(settings, api.url)
        drive(parent)
        drive(Run.objects.get(parent=parent, place=1))
    page = as_alice.get(f"/runs/{parent.pk}/top").content.decode()
    _, first, second = page[: page.index('data-part="findings"')].split('<li class="card part"')
    assert (
        "The pool of billing is empty." in first and "Likely cause" in first and not first.startswith(" data-under-way")
    )
    assert second.startswith(" data-under-way") and second.count("Queued") == 1
    child = as_alice.get(f"/runs/{Run.objects.get(parent=parent, place=1).pk}/").content.decode()
    assert 0 < child.index("S1 of <a") < child.index('data-part="answer"')


def test_who_cancels_the_parent_cancels_them(parent: Run, alice: User, settings: Any, tmp_path: Path) -> None:
    with messages_api(tmp_path, [ASKS]) as api:
        think_with(settings, api.url)
        drive(parent)
    cancel_run(parent.pk, Actor.person(alice))
    assert {run.state for run in Run.objects.all()} == {RunState.CANCELLED}
    assert list(check_all()) == []


def test_the_whole_is_cancelled_or_none_of_it(
    parent: Run, alice: User, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with messages_api(tmp_path, [ASKS, *FIRST]) as api:
        think_with(settings, api.url)
        drive(parent)
        drive(Run.objects.get(parent=parent, place=1))
    monkeypatch.setattr(faults, "armed", faults.Fault("append.write", 2, "E"))  # at the sub-run that still goes
    with pytest.raises(faults.InjectedFault):
        cancel_run(parent.pk, Actor.person(alice))
    assert not Run.objects.filter(state=RunState.CANCELLED).exists()
    monkeypatch.setattr(faults, "armed", None)
    cancel_run(parent.pk, Actor.person(alice))
    states = {run.place: run.state for run in Run.objects.all()}
    assert states == {0: RunState.CANCELLED, 1: RunState.DONE, 2: RunState.CANCELLED}
    assert list(check_all()) == []


def test_it_is_off_by_default(team: Team, alice: User, settings: Any, tmp_path: Path) -> None:
    run = a_run(team, alice, write_incident(tmp_path / "incident"))
    with messages_api(tmp_path, [ASKS, reports()]) as api:
        think_with(settings, api.url)
        ended = drive(run).run
        offered = {tool["name"] for tool in api.bodies[0]["tools"]}
    assert DELEGATES not in offered and ended.state == RunState.DONE
    assert ToolCall.objects.get(run=ended).summary.startswith("Sub-investigations are switched off here")

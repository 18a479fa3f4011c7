"""A team whose tool set was narrowed: other tools are neither offered nor run, whatever a planner asks for."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import User

from runs.models import Approval, Team, ToolCall
from runs.states import RunState
from tests.agent.scripted import ScriptedPlanner, calls, concludes
from tests.flows.driving import go_on, start
from tests.flows.incident import write_incident
from tests.flows.test_investigation import TICKET

pytestmark = pytest.mark.django_db(transaction=True)


def test_only_its_tools_are_offered_and_run(team: Team, alice: User, tmp_path: Path) -> None:
    team.tools = "search_logs\nlist_*\n"
    team.save()
    asked = calls(("create_ticket", TICKET), ("query_metrics", {}), ("list_changes", {}))
    planner = ScriptedPlanner(asked, concludes({"verdict": "cannot_tell", "summary": "Done.", "claims": []}))

    run = go_on(start(team, alice, write_incident(tmp_path / "incident")), planner)

    assert run.state == RunState.DONE
    assert planner.offered == {"search_logs", "list_changes", "list_sources", "generate_report"}
    calls_made = {call.tool: (call.status, call.summary) for call in ToolCall.objects.filter(run=run)}
    assert calls_made["create_ticket"] == ("error", "create_ticket is not in the tool set of this team.")
    assert calls_made["query_metrics"][0] == "error"
    assert calls_made["list_changes"][0] == "success"
    assert not Approval.objects.exists()


def test_a_team_without_a_set_has_every_tool(team: Team) -> None:
    assert team.may_use("create_ticket")

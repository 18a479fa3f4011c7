"""policy on a shell: rules as files, explained, and tried on what really happened."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from runs.models import AuditEvent, Run, Team, ToolCall
from runs.policy import backtest as backtesting
from runs.policy.document import preset, read_document, write_document
from runs.services.rules import own_rules
from runs.services.teams import add_member
from runs.states import Role
from tests.runs.commands.conftest import Shell
from tests.runs.story import TICKET, approved, finished, parked

UseToken = Callable[[User], None]
STRICT = """
rules:
- {name: reading is free, risk: read, then: run}
- {name: checkout needs two, arguments: {service: checkout}, then: approve, votes: 2, expires: 4h}
- {name: the rest is closed, then: refuse}
"""


@pytest.fixture
def strict(tmp_path: Path) -> Path:
    path = tmp_path / "strict.yaml"
    path.write_text(STRICT)
    return path


def test_export_prints_what_import_takes_back(team: Team, shell: Shell, tmp_path: Path) -> None:
    ended = shell("policy", "export")
    assert ended.code == 0 and tuple(read_document(ended.out)) == preset("team")

    path = tmp_path / "same.yaml"
    path.write_text(ended.out)
    again = shell("policy", "import", path)
    assert (again.code, again.out) == (0, "These are the installation's rules already; nothing changes.\n")


def test_import_shows_the_difference_and_changes_nothing_until_it_is_applied(
    team: Team, shell: Shell, strict: Path
) -> None:
    ended = shell("policy", "import", strict)

    assert ended.code == 1 and "Add --apply" in ended.error
    assert "installation's rules: 6 before and 3 after" in ended.out
    assert "\n-  4. writes need one vote: any call of risk write: waits for 1 vote of an approver\n" in ended.out
    assert "\n+  3. the rest is closed: any call: is refused\n" in ended.out
    assert tuple(own_rules(None)) == preset("team")

    assert shell("policy", "import", strict, "--apply").code == 0
    assert own_rules(None) == read_document(STRICT)
    event = AuditEvent.objects.last()
    assert event is not None and event.actor.startswith("cli:") and str(strict) in event.payload["origin"]


def test_a_teams_own_set_is_apart_from_the_installations(team: Team, shell: Shell, strict: Path) -> None:
    assert shell("policy", "import", strict, "--team", "default", "--apply").code == 0

    assert own_rules(team) == read_document(STRICT)
    assert tuple(own_rules(None)) == preset("team")
    assert shell("policy", "export", "--team", "default").out == write_document(read_document(STRICT))


def test_a_preset_is_shown_then_applied(team: Team, shell: Shell) -> None:
    assert shell("policy", "preset", "solo").code == 1
    assert shell("policy", "preset", "solo", "--apply").code == 0
    assert tuple(own_rules(None)) == preset("solo")


def test_only_administrators_change_rules_by_token(
    team: Team, alice: User, bob: User, admin: User, shell: Shell, token_of: UseToken, strict: Path
) -> None:
    token_of(alice)
    refused = shell("policy", "import", strict, "--apply")
    assert refused.code == 1 and "Only an administrator of this installation changes the rules" in refused.error
    assert tuple(own_rules(None)) == preset("team")

    add_member(team, bob, Role.ADMINISTRATOR)
    token_of(bob)
    assert shell("policy", "import", strict, "--apply").code == 1
    assert shell("policy", "import", strict, "--team", "default", "--apply").code == 0

    token_of(admin)
    assert shell("policy", "import", strict, "--apply").code == 0


def test_what_cannot_be_read_ends_with_2_and_says_why(team: Team, shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("rules:\n- {name: a, then: perhaps}\n")

    for verb in ("import", "check", "backtest"):
        ended = shell("policy", verb, path)
        assert ended.code == 2 and "rule 1 “a”: then: input should be" in ended.error
    assert "cannot be read" in shell("policy", "check", tmp_path / "none.yaml").error
    assert shell("policy", "export", "--team", "nowhere").code == 1


def test_check_explains_and_finds_nothing_wrong(team: Team, bob: User, carol: User, shell: Shell, strict: Path) -> None:
    ended = shell("policy", "check", strict)

    assert ended.code == 0, ended.out
    assert "\nwrite: comment_on_ticket, create_ticket, any other tool\n" in ended.out
    assert "  where service is checkout: waits for 2 votes of an approver, open for 4h (rule 2 “checkout" in ended.out
    assert "  otherwise: is refused (rule 3 “the rest is closed”)" in ended.out
    assert "needs everybody who could vote in team default" in ended.out


def test_check_ends_with_1_where_a_rule_is_in_vain_or_nobody_can_approve(
    team: Team, bob: User, shell: Shell, tmp_path: Path
) -> None:
    path = tmp_path / "vain.yaml"
    path.write_text(STRICT + "- {name: too late, tool: create_ticket, risk: write, then: run}\n")

    ended = shell("policy", "check", path, "--json")

    assert ended.code == 1
    assert json.loads(ended.out)["problems"] == [
        "Rule 4 “too late” can never match: rule 3 “the rest is closed” decides before it.",
        "Rule 2 “checkout needs two” asks for 2 votes of an approver, and team default has 1: nobody can approve it.",
    ]


def test_backtest_lists_the_calls_that_would_have_gone_otherwise(
    team: Team, alice: User, bob: User, shell: Shell, strict: Path
) -> None:
    approval = parked(team, alice)
    approved(approval, bob)
    finished(approval)

    ended = shell("policy", "backtest", strict)

    assert ended.code == 1
    assert f"run {approval.run_id}  call {approval.call_id}  create_ticket {TICKET['title']}" in ended.out
    assert "    1 vote of an approver → 2 votes of an approver   (checkout needs two)" in ended.out
    assert ended.out.endswith("Would have changed 1 of 2 past calls. In the last 30 days.\n")


def test_backtest_by_the_present_rules_changes_nothing(team: Team, alice: User, shell: Shell, tmp_path: Path) -> None:
    parked(team, alice)
    path = tmp_path / "same.yaml"
    path.write_text(write_document(own_rules(None)))

    ended = shell("policy", "backtest", path, "--json")

    assert ended.code == 0
    assert json.loads(ended.out) == {"days": 30, "looked_at": 2, "cut": False, "changes": []}


def test_backtest_sees_arguments_sources_starter_and_taint_as_they_were(
    team: Team, alice: User, shell: Shell, tmp_path: Path
) -> None:
    approval = parked(team, alice, sources=[{"name": "logs", "url": "file:///x", "env": "prod"}])
    ToolCall.objects.filter(pk=approval.call_id).update(taint=[{"argument": "body", "sources": ["E1"], "spans": []}])
    path = tmp_path / "one.yaml"

    for conditions, hits in [
        ("environment: prod", 1), ("environment: {only: [staging]}", 0), ("starter: operator", 1),
        ("starter: alert", 0),
        ("tainted: [body]", 1), ("tainted: [title]", 0), ("arguments: {severity: SEV1}", 0),
        ("arguments: {service: {matches: 'check.*'}}", 1),
    ]:  # fmt: skip
        rest = write_document(own_rules(None)).partition("rules:\n")[2]
        path.write_text(f"rules:\n- {{name: new, risk: write, then: refuse, {conditions}}}\n{rest}")
        ended = shell("policy", "backtest", path, "--json")
        assert len(json.loads(ended.out)["changes"]) == hits, conditions


def test_backtest_looks_at_the_days_the_team_and_the_runs_one_may_see(
    team: Team, other_team: Team, alice: User, mallory: User, shell: Shell, strict: Path, token_of: UseToken
) -> None:
    old, _, foreign = parked(team, alice), parked(team, alice), parked(other_team, mallory)
    Run.objects.filter(pk=old.run_id).update(created_at=timezone.now() - timedelta(days=9))

    def looked_at(*words: str) -> int:
        seen: int = json.loads(shell("policy", "backtest", strict, "--json", *words).out)["looked_at"]
        return seen

    assert looked_at() == 6
    assert looked_at("--days", "7") == 4
    assert looked_at("--team", "default") == 4
    token_of(mallory)
    assert looked_at() == 2
    assert foreign.run.team == other_team
    assert shell("policy", "backtest", strict, "--days", "0").code == 2


def test_a_backtest_is_bounded_and_says_so(
    team: Team, alice: User, shell: Shell, strict: Path, monkeypatch: pytest.MonkeyPatch,
    django_assert_max_num_queries: Any,
) -> None:  # fmt: skip
    for _ in range(4):
        parked(team, alice)
    monkeypatch.setattr(backtesting, "MOST_CALLS", 5)

    with django_assert_max_num_queries(6):
        ended = shell("policy", "backtest", strict)

    assert "of 5 past calls. In the last 30 days. Only the newest 5 were looked at." in ended.out

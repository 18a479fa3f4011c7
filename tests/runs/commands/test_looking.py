"""runs, tail, cancel and fsck on a shell."""

from __future__ import annotations

import getpass
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from runs.models import Run, Step, Team
from runs.services.actors import Actor
from runs.services.runs import cancel_run, create_run
from runs.states import RunState
from tests.runs.commands.conftest import Shell
from tests.runs.story import LOGS, a_run, approved, finished, parked

UseToken = Callable[[User], None]


def test_runs_lists_state_answer_and_starter(team: Team, alice: User, shell: Shell) -> None:
    parked(team, alice)
    a_run(team, alice, goal="Why is [red]search[/red] slow?\u202e")

    out = shell("runs").out

    assert "✋ Waiting for approval" in out
    assert "checkout ran out of database connections." in out
    assert "Why is [red]search[/red] slow?⟦U+202E⟧" in out
    assert "alice" in out


def test_runs_as_json_are_those_of_the_api(team: Team, alice: User, shell: Shell) -> None:
    run = a_run(team, alice)

    (row,) = json.loads(shell("runs", "--json").out)

    assert (row["id"], row["state"], row["team"]) == (run.pk, "QUEUED", "default")


def test_runs_shows_the_newest_and_all_on_request(team: Team, alice: User, shell: Shell) -> None:
    for _ in range(21):
        a_run(team, alice)

    assert len(json.loads(shell("runs", "--json").out)) == 20
    assert len(json.loads(shell("runs", "--json", "--all").out)) == 21


def test_runs_can_be_narrowed_to_a_state(team: Team, alice: User, shell: Shell) -> None:
    a_run(team, alice)
    waiting = parked(team, alice)

    assert [row["id"] for row in json.loads(shell("runs", "--json", "--state", "NEEDS_APPROVAL").out)] == [
        waiting.run_id
    ]
    assert "invalid choice" in shell("runs", "--state", "BUSY").error


def test_runs_before_the_first_says_how_to_start(db: None, shell: Shell) -> None:
    assert "./opspilot investigate" in shell("runs").out


def test_a_token_narrows_the_list_to_its_teams(
    team: Team, alice: User, mallory: User, shell: Shell, token_of: UseToken
) -> None:
    run = a_run(team, alice)
    token_of(mallory)

    assert json.loads(shell("runs", "--json").out) == []
    assert shell("tail", run.pk).error == "No such run, or you may not see it."
    assert shell("cancel", run.pk).error == "No such run, or you may not see it."


def test_tail_prints_the_steps_and_where_the_run_stands(team: Team, alice: User, bob: User, shell: Shell) -> None:
    approval = parked(team, alice)
    approved(approval, bob)
    finished(approval)

    ended = shell("tail", approval.run_id)

    assert ended.code == 0
    assert ended.out.startswith(f"Run {approval.run_id}  “Why does checkout fail?”")
    assert "search_logs" in ended.out and "approved" in ended.out
    assert "checkout ran out of database connections." in ended.out.splitlines()[-2]


def test_tail_as_json_is_one_step_a_line(team: Team, alice: User, shell: Shell) -> None:
    approval = parked(team, alice)

    steps = [json.loads(line) for line in shell("tail", approval.run_id, "--json").out.splitlines()]

    assert [step["seq"] for step in steps] == list(range(1, approval.run.n_steps + 1))
    assert steps[-1]["name"] == "ask_approval"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_tail_follows_until_the_run_ends(team: Team, alice: User, shell: Shell, form: list[str]) -> None:
    run = a_run(team, alice)
    is_being_followed = threading.Event()

    def end_it() -> None:
        is_being_followed.wait(5)
        cancel_run(run.pk, Actor.person(alice), "enough")
        connection.close()

    other = threading.Thread(target=end_it)
    other.start()
    threading.Timer(0.3, is_being_followed.set).start()
    ended = shell("tail", run.pk, *form)
    other.join()

    assert ended.code == 0
    assert "enough" in ended.out


def test_tail_of_a_run_that_is_held_returns(team: Team, alice: User, shell: Shell) -> None:
    assert shell("tail", a_run(team, alice, start=False).pk).code == 0


def test_cancel_without_a_token_ends_what_this_shell_started(team: Team, shell: Shell) -> None:
    me = Actor.shell(getpass.getuser())
    run = create_run(goal="Why?", team=team, actor=me, origin="cli", sources=[LOGS]).run  # type: ignore[list-item]

    assert shell("cancel", run.pk, "--reason", "found it").code == 0
    assert Run.objects.get().state == RunState.CANCELLED
    assert Step.objects.get(name="cancel").actor == me.name


def test_cancel_without_a_token_leaves_other_peoples_runs_alone(team: Team, alice: User, shell: Shell) -> None:
    ended = shell("cancel", a_run(team, alice).pk)

    assert ended.code == 1
    assert "alice started it" in ended.error
    assert Run.objects.get().state == RunState.QUEUED


def test_cancel_with_a_token_asks_for_permission(
    team: Team, alice: User, bob: User, shell: Shell, token_of: UseToken
) -> None:
    run = a_run(team, bob)
    token_of(alice)
    refused = shell("cancel", run.pk)
    token_of(bob)

    assert refused.code == 1 and "bob" in refused.error
    assert shell("cancel", run.pk).code == 0


def test_a_run_that_has_ended_cannot_be_cancelled(
    team: Team, alice: User, bob: User, shell: Shell, token_of: UseToken
) -> None:
    approval = parked(team, alice)
    approved(approval, bob)
    finished(approval)
    token_of(alice)

    assert shell("cancel", approval.run_id).code == 1


def test_a_token_that_is_no_longer_good_is_refused(team: Team, shell: Shell, settings: Any) -> None:
    settings.TOKEN = "ops_old_token"

    for command in (["runs"], ["tail", 1], ["cancel", 1]):
        ended = shell(*command)
        assert ended.code == 1 and "expired or revoked" in ended.error


def test_fsck_is_content_with_an_honest_record(team: Team, alice: User, shell: Shell) -> None:
    parked(team, alice)

    assert shell("fsck").out == "1 runs checked: everything holds.\n"
    assert json.loads(shell("fsck", "--json").out) == {"runs": 1, "hits": []}


def test_fsck_ends_with_1_on_any_hit_and_names_it(team: Team, alice: User, shell: Shell) -> None:
    run = a_run(team, alice)
    Run.objects.update(n_steps=7)

    ended, as_json = shell("fsck"), shell("fsck", "--json")

    assert (ended.code, as_json.code) == (1, 1)
    assert f"I7  run {run.pk}, step 2: steps are missing at the end" in ended.out
    assert json.loads(as_json.out)["hits"][0]["invariant"] == "I7"

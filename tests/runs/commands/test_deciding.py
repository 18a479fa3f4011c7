"""approve and deny on a shell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from runs.models import Approval, PolicyRule, Run, Team
from runs.services.tokens import issue_token
from runs.states import ApprovalState, RunState
from tests.runs.commands.conftest import Shell
from tests.runs.making import make_question
from tests.runs.story import TICKET, parked

TICKET_OF_MAKING = "All ten connections are in use."
UseToken = Callable[[User], None]
Answers = Callable[[str], list[str]]


@pytest.fixture
def approval(team: Team, alice: User, bob: User) -> Approval:
    return parked(team, alice)


def _state() -> str:
    return Approval.objects.get().state


def test_approve_shows_exactly_what_will_run_and_then_asks(
    approval: Approval, bob: User, shell: Shell, token_of: UseToken, answers: Answers
) -> None:
    token_of(bob)
    asked = answers("y")
    ended = shell("approve", approval.pk)

    assert ended.code == 0, ended.error
    assert asked == ["Approve exactly this? [y/N] "]
    assert f"title: {TICKET['title']}" in ended.out
    assert TICKET["body"] in ended.out
    assert approval.args_sha256 in ended.out
    assert "tickets kept here" in ended.out
    assert _state() == ApprovalState.APPROVED
    assert Run.objects.get().state == RunState.EXECUTE_TOOL
    assert approval.votes.get().door == "cli"


@pytest.mark.parametrize("word", ["n", "", "yess", "approve"])
def test_anything_but_yes_decides_nothing(
    approval: Approval, bob: User, shell: Shell, token_of: UseToken, answers: Answers, word: str
) -> None:
    token_of(bob)
    answers(word)

    assert shell("approve", approval.pk).code == 1
    assert _state() == ApprovalState.PENDING


def test_yes_is_for_scripts(approval: Approval, bob: User, shell: Shell, token_of: UseToken) -> None:
    token_of(bob)

    assert shell("approve", approval.pk, "--yes").code == 0
    assert _state() == ApprovalState.APPROVED


def test_without_a_terminal_and_without_yes_nothing_is_decided(
    approval: Approval, bob: User, shell: Shell, token_of: UseToken
) -> None:
    token_of(bob)

    ended = shell("approve", approval.pk)
    assert (ended.code, _state()) == (2, ApprovalState.PENDING)
    assert "--yes" in ended.error


def test_a_token_can_be_typed(approval: Approval, bob: User, shell: Shell, answers: Answers) -> None:
    _, plain = issue_token(bob, "typed")
    asked = answers(plain)

    assert shell("approve", approval.pk, "--yes").code == 0
    assert asked == ["Personal token (from Account in the dashboard; not shown): "]


def test_without_a_token_nobody_votes(approval: Approval, shell: Shell) -> None:
    ended = shell("approve", approval.pk, "--yes")

    assert (ended.code, _state()) == (2, ApprovalState.PENDING)
    assert "under Account in the dashboard, then set OPSPILOT_TOKEN" in ended.error


def test_a_wrong_token_is_refused(approval: Approval, shell: Shell, settings: Any) -> None:
    settings.TOKEN = "ops_nobody_nothing"

    assert shell("approve", approval.pk, "--yes").code == 1
    assert _state() == ApprovalState.PENDING


def test_the_starter_cannot_approve_on_a_shell_either(
    approval: Approval, alice: User, shell: Shell, token_of: UseToken
) -> None:
    token_of(alice)
    ended = shell("approve", approval.pk, "--yes")

    assert (ended.code, _state()) == (1, ApprovalState.PENDING)
    assert "bob can" in ended.error
    assert ended.out == ""


def test_an_outsider_is_told_that_there_is_none(
    approval: Approval, mallory: User, shell: Shell, token_of: UseToken
) -> None:
    token_of(mallory)
    ended = shell("approve", approval.pk, "--yes")

    assert (ended.code, ended.error) == (1, "No such approval, or you may not see it.")


def test_deny_needs_a_reason_and_tells_it(approval: Approval, bob: User, shell: Shell, token_of: UseToken) -> None:
    token_of(bob)
    too_short = shell("deny", approval.pk, "--reason", "no", "--yes")
    denied = shell("deny", approval.pk, "--reason", "there is a ticket already", "--yes")

    assert (too_short.code, denied.code) == (1, 0)
    assert Approval.objects.get().reason == "there is a ticket already"
    assert _state() == ApprovalState.DENIED


def test_deny_without_a_reason_is_wrong_usage(approval: Approval, bob: User, shell: Shell, token_of: UseToken) -> None:
    token_of(bob)
    ended = shell("deny", approval.pk, "--yes")

    assert (ended.code, _state()) == (2, ApprovalState.PENDING)
    assert "--reason" in ended.error


def test_one_of_two_votes_is_kept_and_said(
    team: Team, alice: User, bob: User, carol: User, shell: Shell, token_of: UseToken
) -> None:
    PolicyRule.objects.filter(risk="write").update(votes=2)
    approval = parked(team, alice)
    token_of(bob)
    first = shell("approve", approval.pk, "--yes")
    token_of(carol)
    second = shell("approve", approval.pk, "--yes")

    assert "1 of 2" in first.out
    assert "goes on" in second.out
    assert _state() == ApprovalState.APPROVED


def test_hidden_characters_in_arguments_are_spelled_out(
    approval: Approval, bob: User, shell: Shell, token_of: UseToken, answers: Answers
) -> None:
    token_of(bob)
    answers("n")
    Approval.objects.update(args_canonical='{"title":"a\u202eb\\u001b[2Kc"}')

    out = shell("approve", approval.pk).out

    assert "a⟦U+202E⟧b⟦U+001B⟧[2Kc" in out
    assert "\u202e" not in out and "\u001b" not in out


@pytest.mark.parametrize(
    ("command", "asked", "after", "state"),
    [
        ("approve", "Say that it happened? [y/N] ", "It happened.", ApprovalState.APPROVED),
        ("deny", "Say that it did not happen? [y/N] ", "It did not happen.", ApprovalState.DENIED),
    ],
)
def test_a_question_is_answered_without_a_reason_after_it_said_where_to_look(
    team: Team, alice: User, shell: Shell, token_of: UseToken, answers: Answers, command: str, asked: str, after: str,
    state: str,
) -> None:  # fmt: skip
    question = make_question(team, alice)
    token_of(alice)
    heard = answers("y")
    ended = shell(command, question.pk)

    assert (ended.code, heard) == (0, [asked])
    for words in ("did this happen?", "tickets kept here", question.call.key, "  sent       ", TICKET_OF_MAKING, after):
        assert words in ended.out
    for words in ("approved", "denied", "expires", "votes", "written by the planner"):
        assert words not in ended.out
    assert _state() == state

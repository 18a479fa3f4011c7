"""A shell: what a command wrote, how it ended, and whose token is set."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from runs.services.tokens import issue_token


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, what it printed, and its error in words."""

    code: int
    out: str
    error: str


Shell = Callable[..., Ended]


@pytest.fixture
def shell() -> Shell:
    """Runs a command as a shell would see it; code 0 where it raised nothing."""

    def run(*words: Any) -> Ended:
        out = StringIO()
        try:
            call_command(*map(str, words), stdout=out)
        except CommandError as error:
            return Ended(error.returncode, out.getvalue(), str(error))
        except SystemExit as ended:
            return Ended(int(ended.code or 0), out.getvalue(), "")
        return Ended(0, out.getvalue(), "")

    return run


@pytest.fixture
def token_of(settings: Any) -> Callable[[User], None]:
    """Set OPSPILOT_TOKEN to a personal token of that user."""

    def use(user: User) -> None:
        _, settings.TOKEN = issue_token(user, "shell")

    return use


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """A person at the terminal who answers every question in the same way; gives back what was asked."""

    def person(word: str) -> list[str]:
        asked: list[str] = []

        def answer(question: str = "") -> str:
            asked.append(question)
            return word

        monkeypatch.setattr(sys, "stdin", type("Terminal", (StringIO,), {"isatty": lambda self: True})())
        monkeypatch.setattr("builtins.input", answer)
        monkeypatch.setattr("getpass.getpass", answer)
        return asked

    return person

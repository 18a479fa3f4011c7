"""What a tracker is asked and what it answers. Every write carries the call's key, so that it happens once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal, ParamSpec, Protocol, TypeVar

from tools.web.client import NotAnswered

State = Literal["open", "closed"]
NAME = re.compile(r"#?\w[\w.-]{0,58}\Z", re.ASCII)
P = ParamSpec("P")
T = TypeVar("T")


class Unsure(Exception):
    """A write was sent and its answer lost: it may have happened. Not a ToolError, so that it is settled by its key."""


@dataclass(frozen=True, slots=True)
class Draft:
    title: str
    body: str  # Markdown
    service: str
    severity: str
    run_url: str


@dataclass(frozen=True, slots=True)
class Found:
    """A ticket as a tracker knows it."""

    name: str  # OPS-398, #41
    title: str
    url: str
    state: State
    service: str = ""


class Tracker(Protocol):
    @property
    def kind(self) -> str:
        """As a Ticket names it: jira, github, webhook."""
        ...

    @property
    def destination(self) -> str:
        """Host, project, account: what an approver reads."""
        ...

    @property
    def is_asked(self) -> bool:
        """Whether it can be asked for the tickets it has."""
        ...

    def create(self, key: str, draft: Draft) -> Found:
        """Safe to repeat with the same key: what it made before is found again. Raises NotAnswered, Unsure."""
        ...

    def comment(self, key: str, name: str, text: str) -> str:
        """The same for a comment. Answers its URL."""
        ...

    def open_for(self, service: str) -> list[Found]:
        """Open tickets for the service, newest first. Raises NotAnswered."""
        ...

    def find(self, name: str) -> Found | None:
        """One ticket as it is now. Raises NotAnswered."""
        ...


def sent_or_unsure(error: NotAnswered) -> Exception:
    """What to raise for a write that got no answer: a plain refusal changed nothing, a lost answer may have."""
    return Unsure(str(error)) if error.may_have_happened else error


def reads(ask: Callable[P, T]) -> Callable[P, T]:
    """For a method that changes nothing: an answer of another shape is a sentence. Its object has a `client`."""

    @wraps(ask)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        tracker: Any = args[0]
        try:
            return ask(*args, **kwargs)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
            said = f"{type(error).__name__}: {str(error)[:120]}"
            raise NotAnswered(
                f"{tracker.client.who} answered in another shape than such a tracker does ({said}). Is that its URL?"
            ) from None

    return wrapper


def name_of(raw: str, key: str) -> str:
    """What the tracker calls a ticket, where that may stand in an address of ours; else the start of its key."""
    return raw if NAME.match(raw) else key[:12]


def marker(key: str) -> str:
    """What stands in a text so that it can be found again by its key."""
    return f"opspilot-{key[:32]}"


def signed(text: str, key: str, run_url: str) -> str:
    """The text with the way back to the run, and the key in words."""
    return f"{text.rstrip()}\n\n---\nOpsPilot, {run_url}\n{marker(key)}"

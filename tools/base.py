"""What a tool is, what it is given and what it gives back. No tool lives here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from tools.sources import SourceSet


class Risk(StrEnum):
    """What a call could do. The policy decides what each risk needs; see docs/adding-a-tool.md."""

    READ = "read"  # reads inside our boundary
    READ_EGRESS = "read_egress"  # arguments leave our boundary
    WRITE = "write"  # makes something that can be undone
    DESTRUCTIVE = "destructive"  # changes a running system


class Status(StrEnum):
    """How a call ended. `no_data` is neither an error nor an empty success: nothing was there to be found."""

    SUCCESS = "success"
    NO_DATA = "no_data"
    ERROR = "error"
    TRUNCATED = "truncated"


class Params(BaseModel):
    """Base of every tool's parameters: unknown fields are refused, text stays text."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True)


class ToolError(Exception):
    """A mistake the planner can correct. Say what was searched, where, and what would have been valid."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a call returned.

    `data` is JSON of the shape that the tool's module documents. `figures` are named numbers a claim may cite
    (`{"total": 1912}`); a number inside a series is cited by the series' name and a time instead. `query` is exactly
    what was asked, resolved: source, absolute range, pattern. `freshness` is the newest row of the source.
    """

    status: Status
    summary: str
    data: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    query: dict[str, Any] = field(default_factory=dict)
    source: str = ""  # "shop:logs": two results are independent when their sources differ
    freshness: datetime | None = None
    skipped: int = 0  # malformed rows that were passed over, always shown


@dataclass(frozen=True, slots=True)
class Stored:
    """An earlier result of the run as it was kept, secrets taken out."""

    data: dict[str, Any]
    source: str = ""
    query: dict[str, Any] = field(default_factory=dict)
    freshness: datetime | None = None


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a call may know: never the run. `evidence(name)` gives an earlier result; ToolError for no such name."""

    key: str  # idempotency key of this call; a write hands it to the other side
    as_of: datetime  # the run's "now"; every range is judged against it
    focus: datetime | None  # when the alert fired, where one is known
    sources: SourceSet
    evidence: Callable[[str], Stored]
    meta: Mapping[str, str] = field(default_factory=dict)  # links back to the run, for a ticket's text
    tickets: Sequence[Mapping[str, str]] = ()  # open ones of the team, for a tool that `reads_tickets`


@dataclass(frozen=True, slots=True)
class Preview:
    """What a person is shown before a risky call: made from exactly the arguments that will run."""

    sentence: str  # "Create a ticket in OpsPilot."
    destination: str  # host, project, account
    undo: str  # "can be closed, not deleted"
    body: str = ""  # Markdown or plain text as it will appear there


Settle = Literal["none", "by_key"]


@dataclass(frozen=True, slots=True)
class Tool:
    """One thing the agent can do to the outside world."""

    name: str
    summary: str  # one or two sentences for the model and for people
    params: type[Params]
    risk: Risk
    run: Callable[[ToolContext, Any], ToolResult]
    preview: Callable[[Any], Preview] | None = None
    operands: Callable[[Any], Mapping[str, str]] | None = None  # {name: digest} of what the arguments point at
    timeout_s: float = 30.0
    settle: Settle = "none"  # by_key: after a crash the same key may be sent again, or looked up
    reads_tickets: bool = False  # it is given the open tickets of the run's team: name, title, service, url, tracker
    needs: Sequence[str] = ()  # source kinds without which the tool is not offered: logs, metrics, traces, changes

"""The Planner protocol and the values that pass between the loop and a planner. No planner lives here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from tools.generate_report import Claim


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """One call that a planner asks for. `id` is the planner's own (the API's tool_use id), unique in its move."""

    id: str
    tool: str
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """An explanation under test. `facts` are claims for it or, with role `against`, against it."""

    id: str  # "H1", kept over the whole run
    statement: str
    status: Literal["open", "supported", "refuted"] = "open"
    facts: tuple[Claim, ...] = ()
    why: str = ""  # what supported or refuted it, in words
    entity: str = ""  # the service or component it blames, where it blames one
    began: str = ""  # ISO 8601: since when, by this explanation


@dataclass(frozen=True, slots=True)
class Usage:
    """What a model call cost, from the API's own figures. None where the price is not known; the analyst's is 0.

    `is_estimate`: a call broke off before the API had counted all of it, so that the rest is our guess, upward.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_micro_usd: int | None = 0
    model: str = ""
    request_id: str = ""
    stop_reason: str = ""
    is_estimate: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """What a planner answers: tool calls, or the conclusion (one generate_report request, alone)."""

    rationale: str  # one or two sentences: the question this move answers
    requests: tuple[ToolRequest, ...]
    hypotheses: tuple[Hypothesis, ...] = ()
    answer: str = ""  # best guess so far, at most 25 words; may change
    usage: Usage = field(default_factory=Usage)
    reply: list[dict[str, Any]] = field(default_factory=list)  # the model's content blocks, as they came
    sent: dict[str, Any] = field(default_factory=dict)  # what left: bytes, redactions, prompt digest

    @property
    def is_conclusion(self) -> bool:
        return len(self.requests) == 1 and self.requests[0].tool == "generate_report"


@dataclass(frozen=True, slots=True)
class Planned:
    """A move of an earlier turn, with the Step it was written as, and when."""

    seq: int
    move: Move
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Returned:
    """The end of one tool call. `load` reads the stored data; `digest` is what fits a prompt."""

    request_id: str
    tool: str
    args: dict[str, Any]
    status: str  # success, no_data, truncated, error; denied, expired, edited, refused
    summary: str
    evidence: str = ""  # "E3", empty where nothing was stored
    figures: dict[str, float] = field(default_factory=dict)
    query: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    freshness: datetime | None = None
    load: Callable[[], dict[str, Any]] = dict

    @property
    def data(self) -> dict[str, Any]:
        return self.load()


@dataclass(frozen=True, slots=True)
class Noted:
    """An operator's words to a running run."""

    author: str
    text: str


@dataclass(frozen=True, slots=True)
class SentBack:
    """EVALUATE's answer to a conclusion whose claims did not hold: claim id and why, each once."""

    problems: tuple[tuple[str, str], ...]


Item = Planned | Returned | Noted | SentBack


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A source as a planner sees it."""

    name: str
    kind: str
    services: tuple[str, ...] = ()
    oldest: datetime | None = None
    newest: datetime | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Transcript:
    """All a planner knows of a run: the goal and what happened so far, in order."""

    goal: str
    as_of: datetime
    focus: datetime | None
    alert: dict[str, Any]  # the alert as it came, {} where none did
    sources: tuple[SourceInfo, ...]
    wants_ticket: bool  # the goal, or the alert's rule, asks for a ticket
    items: tuple[Item, ...] = ()
    before: dict[str, Any] = field(
        default_factory=dict
    )  # of the run this one goes on from: goal, outcome, answer, facts


@dataclass(frozen=True, slots=True)
class ToolDescription:
    name: str
    summary: str
    risk: str
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BudgetLeft:
    """What the run may still spend. A planner that sees little left concludes."""

    steps: int
    tool_calls: int
    model_calls: int
    tokens: int
    micro_usd: int


class Planner(Protocol):
    """Decides the next move from the transcript: pure but for its model call."""

    name: str
    ceiling_micro_usd: int  # the most one call can cost, set aside before it; 0 where nothing is paid

    def next(
        self,
        transcript: Transcript,
        tools: Sequence[ToolDescription],
        budget: BudgetLeft,
        on_text: Callable[[str], None],
    ) -> Move:
        """The next move. `on_text` receives streamed rationale. Raises agent.errors.PlannerFault."""
        ...

"""The pseudo-tools of the Claude planner: how it states what it thinks, and how it is handed the case.

They run nowhere: the planner reads their arguments and answers them itself, always with the same words, because an
answer is part of the prompt's prefix. Rationale and hypotheses are asked for by a tool, not as text: current models
return the text between tool calls as thinking, which is empty by default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, ValidationError

from agent.claude.answer import NOTE_TOOL
from agent.planner import Hypothesis
from tools.base import Params
from tools.generate_report import Claim

CASE_TOOL = "read_case"
MOST_FACTS = 20  # of one hypothesis: the newest
PSEUDO_TOOLS = (NOTE_TOOL, CASE_TOOL)


class Fact(Params):
    """A quote or a number from the evidence that speaks for a hypothesis, or with role `against`, against it."""

    statement: str = Field(min_length=3, max_length=500)
    kind: Literal["quote", "number", "absence"]
    role: Literal["symptom", "mechanism", "change", "scope", "healthy", "against"] = "symptom"
    evidence: str = Field(pattern=r"^(S\d{1,3}\.)?E\d+$")
    quote: str = Field("", max_length=2_000)
    figure: str = Field("", max_length=400)
    value: float | None = None
    at: str = ""


class Stated(Params):
    id: str = Field(pattern=r"^H\d{1,3}$", description="Kept over the whole investigation.")
    statement: str = Field(min_length=3, max_length=400)
    status: Literal["open", "supported", "refuted"] = "open"
    why: str = Field("", max_length=600, description="What supported or refuted it.")
    entity: str = Field("", max_length=200, description="The service or component it blames.")
    facts: list[Fact] = Field(default_factory=list, max_length=6, description="New ones only.")


class Note(Params):
    rationale: str = Field(
        min_length=3, max_length=600, description="The question this turn answers, in one or two sentences."
    )
    answer: str = Field("", max_length=300, description="Best guess so far, at most 25 words; it may change.")
    hypotheses: list[Stated] = Field(
        default_factory=list, max_length=12, description="New or changed ones; the others stand."
    )


class Case(Params):
    """No arguments."""


NOTE_SUMMARY = (
    "State what this turn asks and how the explanations stand. Call it first in every turn, beside other tools."
)
CASE_SUMMARY = "The alert and the sources as they stood at the start. Already read: its result opens the conversation."


@dataclass(frozen=True, slots=True)
class Thought:
    """What a turn's notes say, joined to what earlier turns said."""

    rationale: str
    answer: str
    hypotheses: tuple[Hypothesis, ...]


def read_notes(content: Sequence[dict[str, Any]], before: tuple[Hypothesis, ...], answer_before: str) -> Thought:
    """The thought of an answer. Notes that do not fit the schema are passed over: the calls beside them still count."""
    notes = [note for block in content if (note := _note(block))]
    hypotheses = {one.id: one for one in before}
    for stated in (stated for note in notes for stated in note.hypotheses):
        hypotheses[stated.id] = _joined(stated, hypotheses.get(stated.id))
    return Thought(
        rationale=" ".join(note.rationale for note in notes) or _said(content),
        answer=next((note.answer for note in reversed(notes) if note.answer), answer_before),
        hypotheses=tuple(hypotheses.values()),
    )


def _note(block: dict[str, Any]) -> Note | None:
    if block.get("type") != "tool_use" or block.get("name") != NOTE_TOOL:
        return None
    try:
        return Note.model_validate(block.get("input"))
    except ValidationError:
        return None


def _joined(stated: Stated, earlier: Hypothesis | None) -> Hypothesis:
    facts = list(earlier.facts) if earlier else []
    number = max((int(fact.id[1:]) for fact in facts), default=0)
    for fact in stated.facts:
        try:
            facts.append(Claim.model_validate({"id": f"C{(number := number + 1)}", **fact.model_dump()}))
        except ValidationError:
            continue  # a quote without its text: nothing to check it by
    return Hypothesis(
        id=stated.id,
        statement=stated.statement,
        status=stated.status,
        facts=tuple(facts[-MOST_FACTS:]),
        why=stated.why or (earlier.why if earlier else ""),
        entity=stated.entity or (earlier.entity if earlier else ""),
    )


def _said(content: Sequence[dict[str, Any]]) -> str:
    texts = [block.get("text", "") for block in content if block.get("type") == "text"]
    return " ".join(" ".join(texts).split())[:600]


def note_answer(arguments: Any) -> str:
    """The result of a note: a function of its arguments alone, so that replaying it gives the same bytes."""
    try:
        Note.model_validate(arguments)
    except ValidationError as error:
        first = error.errors()[0]
        return f"Not noted: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}."
    return "Noted."

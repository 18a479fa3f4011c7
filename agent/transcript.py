"""Turns the rows of a run into the transcript a planner reads. Pure: rows in, items out; the loop reads the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache, partial
from typing import Any, Protocol

from agent.grounding import EvidenceRow, Exhibit, exhibits_of
from agent.planner import Hypothesis, Item, Move, Noted, Planned, Returned, SentBack, SourceInfo, ToolRequest, Usage
from agent.proposals import DELEGATES
from tools.generate_report import Claim


class StepRow(Protocol):
    """What is read of a runs.models.Step."""

    seq: int
    kind: str
    name: str
    actor: str
    at: datetime

    @property
    def payload(self) -> dict[str, Any]: ...


class CallRow(Protocol):
    """What is read of a runs.models.ToolCall; `evidence` is missing where nothing was stored."""

    request_id: str
    tool: str
    args: dict[str, Any]
    status: str
    summary: str
    edit_note: str  # which arguments a person changed, in words


class Place(Protocol):
    place: int


class TheirRow(EvidenceRow, Protocol):
    """What is read of a sub-run's runs.models.Evidence."""

    @property
    def run(self) -> Place: ...


Results = Callable[[int], Sequence[Returned]]  # the calls of the plan at that seq, in order


class Story:
    """The transcript of one drive: built at the claim, then only extended with the Steps that are new."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.sources: tuple[SourceInfo, ...] = ()
        self.seen = 0  # seq of the last Step that was read
        self.exhibits: dict[str, Exhibit] = {}  # all evidence so far, with what was found of each claim on it
        self.before: dict[str, Any] | None = None  # what came of the run that this one goes on from
        self.theirs: dict[str, Exhibit] = {}  # the evidence of sub-runs, S1.E2
        self.delegated = 0  # calls that came back from sub-runs, and for how many of them the evidence was read
        self.fetched = 0
        self._plan_seq = 0
        self._answered: Mapping[str, Any] = {}  # payload of the model call that the next plan came from

    def extend(self, steps: Iterable[StepRow], results: Results) -> None:
        """Read further Steps, in order of seq."""
        for step in steps:
            self.items.extend(self._items_of(step, results))
            self.seen = step.seq

    def add_evidence(self, rows: Iterable[EvidenceRow]) -> None:
        """Read further Evidence, in order of its number."""
        self.exhibits |= exhibits_of(rows)

    def add_theirs(self, rows: Iterable[TheirRow]) -> None:
        """Take the evidence of sub-runs, under the names that their findings give it."""
        for row in rows:
            for exhibit in exhibits_of([row]).values():
                name = f"S{row.run.place}.{exhibit.name}"
                self.theirs.setdefault(name, replace(exhibit, name=name))
        self.fetched = self.delegated

    def _items_of(self, step: StepRow, results: Results) -> Sequence[Item]:
        payload = step.payload
        match step.kind, step.name:
            case "transition", "begin":
                self.sources = tuple(source_info(entry) for entry in payload.get("sources", []))
            case "model_call", _:
                self._answered = payload
            case "transition", "choose_tools":
                self._plan_seq = step.seq
                return [Planned(step.seq, self._move(payload, payload["requests"]), step.at)]
            case "transition", "conclude":
                requests = [payload["request"]] if payload["request"] else []
                return [Planned(step.seq, self._move(payload, requests), step.at)]
            case "transition", "tools_returned" | "none_approved":
                found = results(self._plan_seq)
                self.delegated += sum(item.tool == DELEGATES for item in found)
                return found
            case "transition", "replan" if payload["problems"]:
                return [SentBack(tuple((claim, why) for claim, why in payload["problems"]))]
            case "note", _:
                return [Noted(step.actor.removeprefix("user:"), payload["text"])]
        return []

    def _move(self, payload: Mapping[str, Any], requests: Iterable[Mapping[str, Any]]) -> Move:
        return Move(
            rationale=payload["rationale"],
            requests=tuple(ToolRequest(request["id"], request["tool"], request["args"]) for request in requests),
            hypotheses=tuple(hypothesis(entry) for entry in payload["hypotheses"]),
            answer=payload.get("answer", ""),
            usage=Usage(**self._answered.get("usage", {})),
            reply=self._answered.get("reply", []),
            sent=self._answered.get("sent", {}),
        )


def returned(call: CallRow) -> Returned:
    """The end of a call. Its evidence may leave the body unread: it is loaded when a planner looks."""
    evidence = getattr(call, "evidence", None)
    summary = f"{call.edit_note} {call.summary}".strip()
    if evidence is None:
        return Returned(call.request_id, call.tool, call.args, call.status, summary)
    return Returned(
        call.request_id, call.tool, call.args, call.status, summary, evidence.name, evidence.figures,
        evidence.query, evidence.source, evidence.freshness, cache(partial(getattr, evidence, "data")),
    )  # fmt: skip


def hypothesis(entry: Mapping[str, Any]) -> Hypothesis:
    """A hypothesis as it was stored; the verdicts beside its facts are the server's and not part of the claim."""
    facts = tuple(
        Claim.model_validate({name: fact[name] for name in fact if name in Claim.model_fields})
        for fact in entry["facts"]
    )
    return Hypothesis(
        entry["id"], entry["statement"], entry["status"], facts, entry["why"], entry.get("entity", ""),
        entry.get("began", ""),
    )  # fmt: skip


def source_info(entry: Mapping[str, Any]) -> SourceInfo:
    return SourceInfo(
        name=entry["name"], kind=entry["kind"], services=tuple(entry["services"]), oldest=_time(entry["oldest"]),
        newest=_time(entry["newest"]), problem=entry["problem"],
    )  # fmt: skip


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None

"""Drives a planner over sources in process, without the record: planner.next ↔ tools, until it concludes.

Used by the tests of the analyst and by hand. A read that fails becomes an error result, as in a real run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.evaluate import problems, settle
from agent.grounding import Exhibit
from agent.planner import (
    BudgetLeft,
    Item,
    Move,
    Planned,
    Planner,
    Returned,
    SentBack,
    SourceInfo,
    ToolDescription,
    ToolRequest,
    Transcript,
)
from tools import registry
from tools.base import Status, Stored, ToolContext, ToolError, ToolResult
from tools.generate_report import Report
from tools.sources import SourceSet, SourceSpec

AMPLE = BudgetLeft(steps=200, tool_calls=60, model_calls=40, tokens=10**7, micro_usd=10**7)


@dataclass
class Driven:
    """What an investigation left behind."""

    transcript: Transcript
    moves: list[Move]
    exhibits: dict[str, Exhibit]
    report: dict[str, Any]  # settled: claims checked, outcome computed

    @property
    def tools_used(self) -> list[str]:
        return [request.tool for move in self.moves for request in move.requests]


@dataclass
class Driver:
    sources: SourceSet
    goal: str
    as_of: datetime
    focus: datetime | None = None
    alert: dict[str, Any] = field(default_factory=dict)
    wants_ticket: bool = False
    budget: Callable[[int], BudgetLeft] = lambda move: AMPLE
    answer_write: str = "success"  # or denied, expired
    most_moves: int = 12

    def drive(self, planner: Planner) -> Driven:
        items: list[Item] = []
        moves: list[Move] = []
        exhibits: dict[str, Exhibit] = {}
        sent_back = False
        for number in range(self.most_moves):
            transcript = self._transcript(items)
            move = planner.next(transcript, self._offered(), self.budget(number), lambda text: None)
            moves.append(move)
            items.append(Planned(number, move))
            if not move.is_conclusion:
                items += [self._call(request, exhibits) for request in move.requests]
                continue
            settled = settle(Report.model_validate(move.requests[0].args), exhibits, self.as_of)
            wrong = problems(settled)
            if not wrong or sent_back:
                return Driven(transcript, moves, exhibits, settled)
            sent_back = True
            items.append(SentBack(tuple(wrong)))
        raise AssertionError(f"the planner did not conclude in {self.most_moves} moves")

    def _transcript(self, items: Sequence[Item]) -> Transcript:
        infos = tuple(
            SourceInfo(state.name, state.kind, tuple(state.services), state.oldest, state.newest, state.problem)
            for state in self.sources.states()
        )
        return Transcript(self.goal, self.as_of, self.focus, self.alert, infos, self.wants_ticket, tuple(items))

    def _offered(self) -> list[ToolDescription]:
        kinds = self.sources.kinds()
        return [
            ToolDescription(tool.name, tool.summary, tool.risk.value, tool.params.model_json_schema())
            for tool in registry.all_tools().values()
            if not tool.needs or kinds & set(tool.needs)
        ]

    def _call(self, request: ToolRequest, exhibits: dict[str, Exhibit]) -> Returned:
        args = registry.validate(request.tool, request.args)
        if request.tool == "create_ticket" and self.answer_write != "success":
            return Returned(request.id, request.tool, args, self.answer_write, f"{self.answer_write} by a person")
        result = self._run(request.tool, args)
        name = f"E{len(exhibits) + 1}"
        exhibits[name] = Exhibit(
            name, result.status, result.figures, lambda: result.data, result.source, result.freshness
        )
        return Returned(
            request.id, request.tool, args, result.status, result.summary, name, result.figures, result.query,
            result.source, result.freshness, lambda: result.data,
        )  # fmt: skip

    def _run(self, tool: str, args: dict[str, Any]) -> ToolResult:
        found = registry.get(tool)
        context = ToolContext("key", self.as_of, self.focus, self.sources, lambda name: Stored({}))
        try:
            return found.run(context, found.params.model_validate(args))
        except ToolError as error:
            return ToolResult(status=Status.ERROR, summary=str(error))


def over_folder(folder: Path, goal: str, **more: Any) -> Driver:
    """A driver over a telemetry folder, with its alert as the focus and its newest row as now."""
    sources = SourceSet([SourceSpec("case", folder.absolute().as_uri())])
    as_of = sources.newest()
    assert as_of is not None, f"{folder} holds no rows"
    return Driver(sources, goal, as_of, sources.alert_at(), sources.alert(), **more)

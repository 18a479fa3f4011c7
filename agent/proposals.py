"""What becomes of one tool request of a move: checked arguments, or what is wrong with it in words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.planner import ToolRequest
from tools import registry
from tools.base import Risk, ToolError

DELEGATES = "investigate_hypotheses"
MOST_CALLS = 8  # in one move; the rest is told to come again


@dataclass(frozen=True, slots=True)
class Proposal:
    """A request as it may be written to the ledger; `problem` is a planner's mistake, which is data, not a fault."""

    request: ToolRequest
    args: Mapping[str, Any]
    risk: str
    problem: str = ""


def proposals(
    requests: Sequence[ToolRequest], may_use: Callable[[str], bool] = lambda tool: True, reads_only: bool = False
) -> list[Proposal]:
    """Every request of a move, in order. `may_use` says what the team's tool set allows."""
    return [_proposal(request, requests, place, may_use, reads_only) for place, request in enumerate(requests)]


def _proposal(
    request: ToolRequest, requests: Sequence[ToolRequest], place: int, may_use: Callable[[str], bool], reads_only: bool
) -> Proposal:
    try:
        if not may_use(request.tool):
            raise ToolError(f"{request.tool} is not in the tool set of this team.")
        _refuse_misplaced(request, requests[:place])
        if request.tool == DELEGATES and len(requests) > 1:
            raise ToolError(f"{DELEGATES} is called alone, not beside other calls.")
        if reads_only and registry.get(request.tool).risk != Risk.READ:
            raise ToolError("This investigation is part of another one and only reads.")
        args = registry.validate(request.tool, request.args)
    except ToolError as error:
        return Proposal(request, request.args if isinstance(request.args, dict) else {}, "read", str(error))
    return Proposal(request, args, registry.get(request.tool).risk.value)


def _refuse_misplaced(request: ToolRequest, before: Sequence[ToolRequest]) -> None:
    if request.tool == registry.CONCLUSION:
        raise ToolError("generate_report concludes the investigation: call it alone, not beside other calls.")
    if any(other.id == request.id for other in before):
        raise ToolError(f"Two calls of this move share the id {request.id!r}.")
    if len(before) >= MOST_CALLS:
        raise ToolError(f"At most {MOST_CALLS} calls run in one move; ask for this one again.")

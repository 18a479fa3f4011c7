"""A planner that plays moves from a list. It raises on an unexpected call, and `done()` raises on leftovers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agent.planner import BudgetLeft, Hypothesis, Move, ToolDescription, ToolRequest, Transcript


class ScriptedPlanner:
    """Each entry is a Move, an exception to raise, or a function of the transcript that gives one."""

    name = "scripted"
    ceiling_micro_usd = 0

    def __init__(self, *moves: Move | Exception | Callable[[Transcript], Move]):
        self._moves = list(moves)
        self.seen: list[Transcript] = []
        self.offered: set[str] = set()  # names of the tools at the last call

    def next(
        self,
        transcript: Transcript,
        tools: Sequence[ToolDescription],
        budget: BudgetLeft,
        on_text: Callable[[str], None],
    ) -> Move:
        self.seen.append(transcript)
        self.offered = {tool.name for tool in tools}
        if not self._moves:
            raise AssertionError(f"unexpected planner call {len(self.seen)}")
        move = self._moves.pop(0)
        if isinstance(move, Exception):
            raise move
        return move if isinstance(move, Move) else move(transcript)

    def done(self) -> None:
        if self._moves:
            raise AssertionError(f"{len(self._moves)} scripted moves were never asked for")


def calls(*requests: tuple[str, dict], rationale: str = "What failed, and when?", **more: object) -> Move:
    """A move of tool calls, ids made from their place."""
    numbered = tuple(ToolRequest(f"r{place}", tool, args) for place, (tool, args) in enumerate(requests))
    return Move(rationale=rationale, requests=numbered, **more)


def concludes(report: dict, **more: object) -> Move:
    return Move(rationale="Enough is known.", requests=(ToolRequest("end", "generate_report", report),), **more)


__all__ = ["Hypothesis", "ScriptedPlanner", "calls", "concludes"]

"""list_sources: what this run can read: kinds, rows, time spans, services, and the alert where a folder holds one.

data = {
  "sources": [{"name": str, "kind": str, "rows": int | null, "oldest": iso | null, "newest": iso | null,
               "services": [str, …], "problem": str, "skipped": int}, …],
  "alert": {…}                          # alert.json as it came, {} where there is none
}
figures: sources.   source = "sources"
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tools.base import Params, Risk, Status, Tool, ToolContext, ToolResult
from tools.sources import SourceState


class ListSources(Params):
    pass


def run(context: ToolContext, params: ListSources) -> ToolResult:
    states = context.sources.states()
    answering = [state for state in states if not state.problem]
    newest = max((state.newest for state in answering if state.newest), default=None)
    return ToolResult(
        status=Status.SUCCESS if answering else Status.NO_DATA,
        summary=f"{len(answering)} of {len(states)} sources answer.",
        data={"sources": [_as_json(state) for state in states], "alert": context.sources.alert() or {}},
        figures={"sources": len(states)},
        source="sources",
        freshness=newest,
        skipped=sum(state.skipped for state in states),
    )


def _as_json(state: SourceState) -> dict[str, Any]:
    return {
        "name": state.name, "kind": state.kind, "rows": state.rows, "oldest": _iso(state.oldest),
        "newest": _iso(state.newest), "services": list(state.services), "problem": state.problem,
        "skipped": state.skipped,
    }  # fmt: skip


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


TOOL = Tool(
    name="list_sources",
    summary="List what can be read: sources with their kinds, services, time span and age, and the alert.",
    params=ListSources,
    risk=Risk.READ,
    run=run,
)

"""find_tickets: open tickets for a service, of the list kept here and of the tracker that is set.

data = {
  "tickets": [{"name": str, "title": str, "service": str, "url": str, "tracker": str}, …],   # newest first
  "states": {name: "open" | "closed" | "gone"}   # as the tracker says; recording it updates the list kept here
}
figures: total.   source = "tickets"
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from tools.base import Params, Risk, Status, Tool, ToolContext, ToolError, ToolResult
from tools.tickets.opening import states_of, tracker

MAX_TICKETS = 50
MAX_LOOKED_UP = 20


class FindTickets(Params):
    service: str = Field("", max_length=200, description="Service that the tickets are about; empty means every one.")


def run(context: ToolContext, params: FindTickets) -> ToolResult:
    note = ""
    try:
        theirs, states = _of_tracker(context, params.service)
    except ToolError as problem:  # the list kept here still counts
        theirs, states, note = [], {}, f" Only the list kept here was searched: {problem}"
    known = {ticket["name"] for ticket in theirs}
    ours = [
        ticket
        for ticket in context.tickets
        if (not params.service or ticket["service"].lower() == params.service.lower())
        and ticket["name"] not in known
        and states.get(ticket["name"], "open") == "open"
    ]
    found = [*theirs, *ours][:MAX_TICKETS]
    of_service = f" for {params.service}" if params.service else ""
    named = "; ".join(f"{ticket['name']} “{ticket['title'][:80]}”" for ticket in found[:5])
    words = f"{len(found)} open{of_service}: {named}" if found else f"No ticket is open{of_service}"
    return ToolResult(
        status=Status.TRUNCATED if note else Status.SUCCESS if found else Status.NO_DATA,
        summary=f"{words}.{note}",
        data={"tickets": found, "states": states},
        figures={"total": len(found)},
        query={"service": params.service, "state": "open"},
        source="tickets",
    )


def _of_tracker(context: ToolContext, service: str) -> tuple[list[Mapping[str, str]], dict[str, str]]:
    """Open tickets of the tracker that is set, and the state there of those that are kept here as open."""
    found = tracker()
    if found is None:
        return [], {}
    tickets = found.open_for(service) if service else []
    rows: list[Mapping[str, str]] = [
        {"name": one.name, "title": one.title, "service": one.service or service, "url": one.url, "tracker": found.kind}
        for one in tickets
    ]
    known = dict.fromkeys((one.name for one in tickets), "open")
    others = [one for one in context.tickets if one["tracker"] == found.kind and one["name"] not in known]
    states, problem = states_of(others[:MAX_LOOKED_UP])
    if problem:
        raise ToolError(problem)
    return rows, {**known, **states}


TOOL = Tool(
    name="find_tickets",
    summary="List open tickets for a service, before a ticket is created: an open one for the same problem gets a "
    "comment instead.",
    params=FindTickets,
    risk=Risk.READ,
    run=run,
    reads_tickets=True,
)

"""create_ticket: one incident ticket, in the tracker that is set and in the list kept here.

data = {"key": str, "title": str, "body": str, "service": str, "severity": str, "tracker": "local" | "jira" | "github" |
        "webhook", "external_id": str, "url": str}
Recording its result writes the row of the list kept here, under the call's key. An outside tracker is asked for the key
first and gets it with the ticket, so that sending the same call again makes no second one.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tools.base import Params, Preview, Risk, Status, Tool, ToolContext, ToolResult
from tools.tickets.opening import destination, tracker
from tools.tickets.tracker import Draft


class CreateTicket(Params):
    title: str = Field(min_length=5, max_length=200, description="Service, what is wrong, since when.")
    body: str = Field(min_length=10, max_length=20_000, description="Markdown: impact, cause, evidence, next steps.")
    service: str = Field("", max_length=200)
    severity: Literal["SEV1", "SEV2", "SEV3", "SEV4"] = "SEV3"


def run(context: ToolContext, params: CreateTicket) -> ToolResult:
    found, kept = tracker(), params.model_dump()
    if found is None:
        summary, made, source = f"Ticket “{params.title}” ({params.severity}).", {"tracker": "local"}, "tickets"
    else:
        draft = Draft(run_url=context.meta.get("run_url", ""), **kept)
        ticket = found.create(context.key, draft)
        summary = f"Ticket {ticket.name} “{params.title}” ({params.severity}) in {found.destination}."
        made = {"tracker": found.kind, "external_id": ticket.name, "url": ticket.url}
        source = f"{found.kind}:tickets"
    return ToolResult(
        status=Status.SUCCESS,
        summary=summary,
        data={"key": context.key, **kept, **made},
        query={"tracker": made["tracker"]},
        source=source,
    )


def preview(params: CreateTicket) -> Preview:
    found = tracker()
    ends = "\n\n(A link to this run and the key of this call stand at the end.)" if found else ""
    return Preview(
        sentence=f"Create a ticket in {found.destination if found else 'OpsPilot'}.",
        destination=destination(),
        undo="can be closed, not deleted",
        body=f"# {params.title}\n\n{params.severity} · {params.service or 'no service named'}\n\n{params.body}{ends}",
    )


def operands(params: CreateTicket) -> dict[str, str]:
    """The tracker as it is set now: a request that was approved for one must not run in another."""
    found = tracker()
    return {"tracker": found.destination} if found else {}


TOOL = Tool(
    name="create_ticket",
    summary="Create one incident ticket. Only where the goal or the alert's rule asks for a ticket, and where "
    "find_tickets names no open one for the same problem: comment on that instead.",
    params=CreateTicket,
    risk=Risk.WRITE,
    run=run,
    preview=preview,
    operands=operands,
    settle="by_key",
)

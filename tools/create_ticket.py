"""create_ticket: proposes one incident ticket in the tracker kept here; recording its result writes the row.

data = {"key": str, "title": str, "body": str, "service": str, "severity": str, "tracker": "local"}
The tool itself touches nothing: for the tracker kept here the record is the outside world, and the row is written in
the transaction that records this result, under the call's key.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tools.base import Params, Preview, Risk, Status, Tool, ToolContext, ToolResult


class CreateTicket(Params):
    title: str = Field(min_length=5, max_length=200, description="Service, what is wrong, since when.")
    body: str = Field(min_length=10, max_length=20_000, description="Markdown: impact, cause, evidence, next steps.")
    service: str = Field("", max_length=200)
    severity: Literal["SEV1", "SEV2", "SEV3", "SEV4"] = "SEV3"


def run(context: ToolContext, params: CreateTicket) -> ToolResult:
    return ToolResult(
        status=Status.SUCCESS,
        summary=f"Ticket “{params.title}” ({params.severity}).",
        data={"key": context.key, "tracker": "local", **params.model_dump()},
        query={"tracker": "local"},
        source="tickets",
    )


def preview(params: CreateTicket) -> Preview:
    return Preview(
        sentence="Create a ticket in the tickets kept here.",
        destination="tickets kept here (no Jira or GitHub is set)",
        undo="can be closed, not deleted",
        body=f"# {params.title}\n\n{params.severity} · {params.service or 'no service named'}\n\n{params.body}",
    )


TOOL = Tool(
    name="create_ticket",
    summary="Create one incident ticket. Only where the goal or the alert's rule asks for a ticket.",
    params=CreateTicket,
    risk=Risk.WRITE,
    run=run,
    preview=preview,
    settle="by_key",
)

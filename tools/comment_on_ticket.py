"""comment_on_ticket: adds what was found to a ticket that is open already, in place of a second one.

data = {"key": str, "ticket": str, "title": str, "text": str, "tracker": str, "url": str}
A ticket of the list kept here gets the comment when the result is recorded; one of an outside tracker gets it there.
"""

from __future__ import annotations

from pydantic import Field

from tools.base import Params, Preview, Risk, Status, Tool, ToolContext, ToolError, ToolResult
from tools.tickets.opening import destination, tracker
from tools.tickets.tracker import signed


class CommentOnTicket(Params):
    ticket: str = Field(
        min_length=1, max_length=60, pattern=r"^[#\w.-]+$", description="As find_tickets names it: T-3, OPS-398, #41."
    )
    title: str = Field("", max_length=300, description="Its title, so that whoever approves sees which one it is.")
    text: str = Field(min_length=10, max_length=20_000, description="Markdown: what was found, with its evidence.")


def run(context: ToolContext, params: CommentOnTicket) -> ToolResult:
    kept = next((one for one in context.tickets if one["name"] == params.ticket), None)
    if kept is not None and kept["tracker"] == "local":
        where, url = "local", ""
    else:
        found = tracker()
        if found is None or _is_kept_here(params.ticket):
            names = ", ".join(one["name"] for one in context.tickets[:20]) or "none"
            raise ToolError(f"No ticket {params.ticket!r} is open here. Open: {names}.")
        text = signed(params.text, context.key, context.meta.get("run_url", ""))
        where, url = found.kind, found.comment(context.key, params.ticket, text)
    return ToolResult(
        status=Status.SUCCESS,
        summary=f"Comment on {params.ticket}.",
        data={"key": context.key, "tracker": where, "url": url, **params.model_dump()},
        query={"tracker": where, "ticket": params.ticket},
        source="tickets",
    )


def preview(params: CommentOnTicket) -> Preview:
    title = f" “{params.title}”" if params.title else ""
    is_ours = _is_kept_here(params.ticket)
    ends = "" if is_ours else "\n\n(A link to this run and the key of this call stand at the end.)"
    return Preview(
        sentence=f"Comment on {params.ticket}{title}, which is open already.",
        destination="the tickets kept here" if is_ours else destination(),
        undo="can be deleted there by hand",
        body=f"{params.text}{ends}",
    )


def operands(params: CommentOnTicket) -> dict[str, str]:
    return {} if _is_kept_here(params.ticket) or tracker() is None else {"tracker": destination()}


def _is_kept_here(name: str) -> bool:
    return name.startswith("T-") and name[2:].isdecimal()


TOOL = Tool(
    name="comment_on_ticket",
    summary="Comment on a ticket that is open already for the same problem, in place of creating another.",
    params=CommentOnTicket,
    risk=Risk.WRITE,
    run=run,
    preview=preview,
    operands=operands,
    settle="by_key",
    reads_tickets=True,
)

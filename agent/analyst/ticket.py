"""The ticket that is proposed where one is wanted: what is wrong, since when, why, and what to do. Creates none."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from agent.analyst.conclusion import severity
from agent.analyst.explanation import Assessment, Explanation, say
from agent.analyst.grounds import facts_for
from agent.analyst.remedies import actions
from agent.analyst.wording import change_words, clock, names, shorten
from agent.planner import Returned, ToolRequest

TICKET_TOOLS = ("find_tickets", "create_ticket", "comment_on_ticket")


def ticket_request(assessed: Assessment, tools: Collection[str]) -> tuple[str, ToolRequest]:
    """Why and what: first whether one is open already, then a comment on that one, or a new one."""
    best, case = assessed.best, assessed.case
    assert best is not None  # noqa: S101  asked only of a fault
    looked = [row for row in case.results if row.tool == "find_tickets"]
    if "find_tickets" in tools and not looked:
        request = ToolRequest("tickets", "find_tickets", {"service": best.entity})
        return f"A ticket was asked for: is one open for {best.entity} already?", request
    args = ticket(assessed)
    if "comment_on_ticket" in tools and (known := _open_already(looked, best.entity)):
        text = f"## {args['title']}\n\n{args['body']}"[:20_000]
        comment = {"ticket": known["name"], "title": known["title"][:300], "text": text}
        why = f"{known['name']} is open for {best.entity} already: what was found goes there."
        return why, ToolRequest("comment", "comment_on_ticket", comment)
    return "A ticket was asked for, and a fault was found.", ToolRequest("ticket", "create_ticket", args)


def _open_already(looked: Sequence[Returned], entity: str) -> dict[str, str] | None:
    """The newest open ticket for that very service."""
    tickets: list[dict[str, str]] = [one for row in looked for one in (row.data or {}).get("tickets", [])]
    return next((one for one in tickets if one.get("service", "").lower() == entity.lower()), None)


def ticket(assessed: Assessment) -> dict[str, Any]:
    """The arguments of create_ticket: what is wrong, since when, why, and what to do."""
    best, found = assessed.best, assessed.found
    assert best is not None and found.onset is not None  # noqa: S101
    entity = best.entity
    facts = facts_for(assessed)
    steps = "\n".join(f"{place}. {action.text}" for place, action in enumerate(actions(assessed), 1))
    lines = "\n".join(f"- {fact.statement} ({fact.evidence})" for fact in facts[:8])
    hit = f"Affected: {names(assessed.affected, 5)}." if assessed.affected else "No other service is affected."
    body = (
        f"{say(assessed)}\n\n{best.mechanism}\n\n{hit}\n\n## Facts\n{lines}\n\n## Next steps\n{steps}\n\nTimes are UTC."
    )
    title = f"{entity}: {shorten(_title(best), 140)} since {clock(found.onset)}"
    return {"title": title[:200], "body": body[:20_000], "service": entity[:200], "severity": severity(assessed)}


def _title(best: Explanation) -> str:
    if best.suspect is None:
        return best.statement
    return f"fails after {change_words(best.suspect.change, best.suspect.deploy, best.entity)}"

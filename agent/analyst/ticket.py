"""The ticket that is proposed where one is wanted: what is wrong, since when, why, and what to do. Creates none."""

from __future__ import annotations

from typing import Any

from agent.analyst.conclusion import severity
from agent.analyst.explanation import Assessment, Explanation, say
from agent.analyst.grounds import facts_for
from agent.analyst.remedies import actions
from agent.analyst.wording import change_words, clock, names, shorten


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

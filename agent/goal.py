"""What a goal asks for beside an answer. Pure."""

from __future__ import annotations

import re

# A system may have tickets of its own to sell ("why is ts-ticket-office slow?"): only an order is one.
ORDER = re.compile(
    r"\b(?:create|open|file|raise|make|write|submit|log|cut)\b[^.!?\n]{0,40}\b(?:tickets?|(?:jira|github) issues?)\b"
    r"|\btickets? (?:if|when|where|please)\b",
    re.IGNORECASE,
)
REFUSAL = re.compile(r"\b(?:no|not|never|without|don['’]?t)\b[^.!?\n,;]{0,24}$", re.IGNORECASE)


def asks_for_ticket(goal: str) -> bool:
    return any(not REFUSAL.search(goal[: order.start()]) for order in ORDER.finditer(goal))

"""Filters of the approval pages, the queue and the audit browser: who, how long still, what was decided."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone

from runs import permissions
from runs.models import Approval
from runs.presentation import formats
from runs.presentation.display import reveal
from runs.presentation.review import Argument, subject_of
from runs.states import ApprovalState

register = template.Library()


@register.simple_tag(takes_context=True)
def enters_admin(context: dict[str, Any]) -> bool:
    """Whether the admin is open to the person who reads this page. Costs a query."""
    return permissions.enters_admin(context["request"].user)


@register.filter
def who(actor: str) -> str:
    """`user:alice` → alice; everything else keeps its prefix, for a shell or an alert is no person."""
    return actor.removeprefix("user:")


@register.filter
def time_left(seconds: int) -> str:
    return formats.time_left(seconds)


@register.filter
def clock(at: datetime | None) -> str:
    """`02:14`, with the date where it is not today."""
    return formats.clock(at, timezone.now())


@register.filter
def typed_for(typed: dict[str, str] | str, argument: Argument) -> str:
    """What was typed for an argument before it was refused, else what it is, hidden characters spelled out.

    So whoever edits sees them, and what they send has the harmless spelling in their place.
    """
    return reveal(typed.get(argument.name, argument.text) if isinstance(typed, dict) else argument.text)


@register.filter
def rows_for(text: str) -> int:
    """Rows of a text field that shows most texts whole."""
    return min(16, max(1, sum(1 + len(line) // 90 for line in text.split("\n"))))


@register.filter
def subject(approval: Approval) -> str:
    return subject_of(approval)


@register.filter
def decided_words(approval: Approval) -> str:
    """`Denied by bob`, `Approved by bob and done`, `bob: it happened`; an expiry is never worded as a denial."""
    if approval.is_question:
        return _answered_words(approval)
    by = f" by {who(approval.decided_by)}" if approval.decided_by and approval.decided_by != "system" else ""
    match approval.state:
        case ApprovalState.CONSUMED:
            return f"Approved{by} and done"
        case ApprovalState.EXPIRED:
            return f"Approved{by}, not started in time" if by else "Nobody decided in time"
        case ApprovalState.VOID:
            return "No longer valid"
        case _:
            return f"{ApprovalState(approval.state).label}{by}"


def _answered_words(question: Approval) -> str:
    match question.state:
        case ApprovalState.APPROVED:
            return f"{who(question.decided_by)}: it happened"
        case ApprovalState.DENIED:
            return f"{who(question.decided_by)}: it did not happen"
        case ApprovalState.PENDING:
            return "Did this happen?"
        case _:
            return "Nobody said whether it happened"

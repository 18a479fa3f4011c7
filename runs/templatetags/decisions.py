"""Filters of the approval pages, the queue and the audit browser: who, how long still, what was decided."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone

from runs import permissions
from runs.formats import clock as clock_of
from runs.formats import duration
from runs.models import Approval
from runs.review import subject_of
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
    """`42 min`, `3 h 5 min`; seconds only below one minute, for nobody counts them before."""
    return duration(seconds if seconds < 60 else seconds // 60 * 60)


@register.filter
def clock(at: datetime | None) -> str:
    """`02:14`, with the date where it is not today."""
    return clock_of(at, timezone.now())


@register.filter
def subject(approval: Approval) -> str:
    return subject_of(approval)


@register.filter
def decided_words(approval: Approval) -> str:
    """`Denied by bob`, `Approved by bob and done`; an expiry is never worded as a denial."""
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

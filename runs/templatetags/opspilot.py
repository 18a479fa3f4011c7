"""Tags and filters of the pages: icons, badges, severity, navigation, times. No query but the count of approvals."""

from __future__ import annotations

from typing import Any

from django import template
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from runs.models import Approval, Run
from runs.states import ApprovalState
from runs.words import Badge, badge_of

register = template.Library()

THEMES = ("light", "dark")
SEVERITIES = ("SEV4", "SEV3", "SEV2", "SEV1")


@register.simple_tag(takes_context=True)
def theme(context: dict[str, Any]) -> SafeString | str:
    """The theme a person chose, from the cookie; without one the system's preference decides in CSS."""
    chosen = context["request"].COOKIES.get("theme", "") if "request" in context else ""
    return format_html(' data-theme="{}"', chosen) if chosen in THEMES else ""


@register.simple_tag
def icon(name: str) -> SafeString:
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>', static("icons/sprite.svg"), name)


@register.simple_tag
def logo() -> SafeString:
    return format_html('<img src="{}" width="24" height="24" alt="">', static("icons/favicon.svg"))


@register.inclusion_tag("runs/_badge.html")
def badge(run: Run) -> dict[str, Any]:
    return {"badge": badge_of(run, timezone.now())}


@register.inclusion_tag("runs/_badge.html")
def badge_with(icon: str, word: str, colour: str = "grey") -> dict[str, Any]:
    """A badge of one's own words: {% badge_with 'hand' 'Waiting' 'amber' %}."""
    return {"badge": Badge(icon, word, colour)}


@register.inclusion_tag("runs/_severity.html")
def severity(value: str) -> dict[str, Any]:
    lit = SEVERITIES.index(value) + 1 if value in SEVERITIES else 0
    return {"value": value, "bars": [place < lit for place in range(4)]}


@register.simple_tag(takes_context=True)
def nav_link(context: dict[str, Any], route: str, word: str, count: int = 0) -> SafeString | str:
    """A link of the top bar, marked when it leads to this page; nothing where the route does not exist."""
    try:
        url = reverse(route)
    except NoReverseMatch:
        return ""
    path = context["request"].path
    here = path == url or (url != "/" and path.startswith(url)) or (url == "/" and path.startswith("/runs"))
    marked = format_html(' <span class="count">{}</span>', count) if count else ""
    return format_html('<a href="{}"{}>{}{}</a>', url, format_html(' aria-current="page"') if here else "", word, marked)


@register.simple_tag(takes_context=True)
def approvals_waiting(context: dict[str, Any]) -> int:
    """How many requests of the person's teams wait for a decision."""
    user = context["request"].user
    return Approval.objects.visible_to(user).filter(state=ApprovalState.PENDING).count()

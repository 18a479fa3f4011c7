"""Tags and filters of the pages: icons, badges, severity, navigation, times. No query but the count of approvals."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import template
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from runs.models import Approval, Run
from runs.presentation import formats
from runs.presentation.display import reveal
from runs.presentation.picture import Lane, Picture
from runs.presentation.run_list import Filters
from runs.presentation.words import Badge, badge_of, said_by
from runs.states import ApprovalState
from runs.templatetags.inert import revealed

register = template.Library()

CURRENT = format_html(' aria-current="{}"', "page")
THEMES = ("light", "dark")
SEVERITIES = ("SEV4", "SEV3", "SEV2", "SEV1")


@register.simple_tag(takes_context=True)
def theme(context: dict[str, Any]) -> SafeString | str:
    """The theme a person chose, from the cookie; without one the system's preference decides in CSS."""
    chosen = context["request"].COOKIES.get("theme", "") if "request" in context else ""
    return format_html(' data-theme="{}"', chosen) if chosen in THEMES else ""


@register.simple_tag
def icon(name: str) -> SafeString:
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>', static("icons/sprite.svg"), name
    )


@register.simple_tag
def logo() -> SafeString:
    return format_html('<img src="{}" width="24" height="24" alt="">', static("icons/favicon.svg"))


@register.inclusion_tag("runs/_badge.html", takes_context=True)
def badge(context: dict[str, Any], run: Run) -> dict[str, Any]:
    halt = context.get("halt")
    return {"badge": badge_of(run, timezone.now(), halt.by if halt else "")}


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
    return format_html('<a href="{}"{}>{}{}</a>', url, CURRENT if here else "", word, marked)


@register.simple_tag(takes_context=True)
def approvals_waiting(context: dict[str, Any]) -> int:
    """How many requests of the person's teams wait for a decision."""
    user = context["request"].user
    return Approval.objects.visible_to(user).filter(state=ApprovalState.PENDING).count()


@register.filter
def when(value: str | datetime | None, reference: datetime | None = None) -> str:
    """`02:14`, with its date when the reference is of another day."""
    return formats.clock(value, reference)


@register.filter
def when_s(value: str | datetime | None, reference: datetime | None = None) -> str:
    """The same with seconds."""
    return formats.clock(value, reference, seconds=True)


@register.filter
def iso(value: str | datetime | None) -> str:
    """For the `datetime` attribute of <time>."""
    at = formats.moment(value)
    return at.isoformat() if at else ""


@register.filter
def since(at: datetime | None, now: datetime) -> str:
    """How long before `now`: `40 s`, `2 h 5 min`."""
    return formats.duration((now - at).total_seconds()) if at else ""


@register.filter
def lasted(seconds: float) -> str:
    return formats.duration(seconds)


@register.filter
def dollars(micro_usd: int) -> str:
    return formats.money(micro_usd)


@register.filter
def cost(run: Run) -> str:
    """What a run cost, and whether that is all of it."""
    return formats.money(run.cost_micro_usd, run.cost_known)


@register.filter
def bytes_in_words(count: int) -> str:
    return formats.size(count)


@register.filter
def person(actor: str) -> str:
    """`user:alice` as people say it."""
    return said_by(actor) or "OpsPilot"


@register.filter
def marked(text: str, quote: str) -> SafeString:
    """The text, inert, with every place where the quote stands marked."""
    if not quote or quote not in text:
        return revealed(text)
    parts = [revealed(part) for part in text.split(quote)]
    joint = format_html("<mark>{}</mark>", revealed(quote))
    return format_html_join(joint, "{}", ((part,) for part in parts))


@register.simple_tag
def lane_path(picture: Picture, lane: Lane) -> str:
    return picture.path(lane)


@register.simple_tag
def narrowed(filters: Filters, **changes: str) -> str:
    """The list's URL under these filters with some changed."""
    return filters.url(**changes)


@register.filter
def milliseconds(count: int) -> str:
    return formats.duration(count / 1_000)


@register.filter
def zone(at: datetime) -> str:
    return formats.zone_name(at)


@register.filter
def figure(value: float) -> str:
    return formats.number(value)


@register.filter
def cut_underscores(name: str) -> str:
    return name.replace("_", " ")


@register.filter
def commas(names: Iterable[str] | None) -> str:
    """Names in one line, not yet escaped: pass it on to `revealed`."""
    return ", ".join(names or ())


@register.filter
def spelled(text: object) -> str:
    """Text from outside for an attribute or a title: hidden characters spelled out, escaped where it is used."""
    return reveal(str(text))

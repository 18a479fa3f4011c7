"""Filters for text from outside: shown in full, doing nothing."""

from __future__ import annotations

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from runs.presentation.display import spans
from runs.presentation.markdown import inert_html

register = template.Library()


@register.filter
def revealed(text: object) -> SafeString:
    """The text, escaped; each hidden character as a marked ⟦U+202E⟧, which text of the same look is not."""
    return format_html_join("", "{}", ((_shown(span.text, span.hidden),) for span in spans(str(text))))


def _shown(text: str, hidden: bool) -> SafeString | str:
    return format_html('<mark class="hidden-letter" title="hidden character">{}</mark>', text) if hidden else text


@register.filter
def inert_markdown(text: str) -> SafeString:
    return inert_html(text)

"""Markdown that a model or a log wrote, as HTML that can do nothing: no raw HTML, no picture, no link, no attribute."""

from __future__ import annotations

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

from runs.presentation.display import reveal

TAGS = {
    "p", "br", "hr", "h3", "h4", "h5", "h6", "ul", "ol", "li", "strong", "em", "s", "code", "pre", "blockquote",
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
# Links and pictures stay as they were typed: an address is read, not followed. Entities could spell hidden letters.
_OFF = ["link", "image", "autolink", "html_inline", "html_block", "reference", "entity", "linkify"]
_parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable(["table", "strikethrough"]).disable(_OFF)


def inert_html(text: str) -> SafeString:
    """`text` rendered by the strict profile; hidden characters are spelled out. Headings start at level 3."""
    tokens = _parser.parse(reveal(text))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
    rendered = _parser.renderer.render(tokens, _parser.options, {})
    # The parser lets nothing through; the cleaner is the second lock on the same door.
    return mark_safe(nh3.clean(rendered, tags=TAGS, attributes={}, url_schemes=set()))  # noqa: S308

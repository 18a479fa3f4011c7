"""What a person is shown of text that hides, turns or disguises itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.presentation.display import has_hidden, reveal, spans


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rm \u202egnp.txt", "rm ⟦U+202E⟧gnp.txt"),  # bidi override
        ("pay\u200bload", "pay⟦U+200B⟧load"),  # zero width space
        ("a\u200d\u2066b\u2069", "a⟦U+200D⟧⟦U+2066⟧b⟦U+2069⟧"),  # joiner, isolates
        ("\ufeffstart", "⟦U+FEFF⟧start"),
        ("ring\x07 \x1b[31mred", "ring⟦U+0007⟧ ⟦U+001B⟧[31mred"),  # terminal escapes
        ("nul\x00", "nul⟦U+0000⟧"),
        ("a\u00a0b", "a⟦U+00A0⟧b"),  # a blank that is not the plain one
        ("line\u2028line", "line⟦U+2028⟧line"),
        ("tag\U000e0041\U000e0042", "tag⟦U+E0041⟧⟦U+E0042⟧"),  # Unicode tags carry hidden ASCII
        ("x\ufe01", "x⟦U+FE01⟧"),  # a variation selector behind a letter
        ("fill\u3164er", "fill⟦U+3164⟧er"),
        ("\ud800 alone", "⟦U+D800⟧ alone"),
        ("p\u0430ypal.com", "p⟦U+0430⟧ypal.com"),  # Cyrillic а among Latin letters
        ("carriage\rreturn", "carriage⟦U+000D⟧return"),
    ],
)
def test_hidden_characters_are_spelled_out(text: str, shown: str) -> None:
    assert reveal(text) == shown
    assert has_hidden(text)


@pytest.mark.parametrize(
    "text",
    [
        "orders-api: p99 5.02 s\n\tsince 02:14",
        "Zürich – naïve “quotes” … 40 → 10 ✓",
        "пул соединений исчерпан",  # a whole word in one script hides nothing
        "接続プール",
        "Δt = 5 µs",
        "⚠\ufe0f warning",  # the colour picture of a symbol
        "",
    ],
)
def test_honest_text_is_left_alone(text: str) -> None:
    assert reveal(text) == text
    assert not has_hidden(text)


def test_windows_line_ends_read_as_line_ends() -> None:
    assert reveal("a\r\nb") == "a\nb"


def test_spans_tell_a_spelled_out_character_from_text_that_only_looks_like_one() -> None:
    assert [(span.text, span.hidden) for span in spans("⟦U+202E⟧\u202e")] == [("⟦U+202E⟧", False), ("⟦U+202E⟧", True)]


@given(st.text())
def test_nothing_hidden_is_left_and_revealing_twice_changes_nothing(text: str) -> None:
    shown = reveal(text)
    assert not has_hidden(shown)
    assert reveal(shown) == shown

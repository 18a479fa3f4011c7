"""Text as a person must see it: what a font would hide, turn round or disguise is spelled out. Pure; no HTML here."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import re2

# Categories that draw nothing or move what is drawn: control, format (bidi, zero-width, tags), lone surrogate,
# private use, unassigned, line and paragraph separator, and every blank that is not the plain one.
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
_PLAIN = frozenset(" \n\t")
# Letters, marks and symbols by category, but blank on the screen.
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_LOOKALIKE_SCRIPTS = ("CYRILLIC ", "ARMENIAN ", "CHEROKEE ")
_GREEK_LOOKALIKES = frozenset("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧανικορτυχγ")  # Δ, µ and Ω stand beside Latin letters in honest text
_WORDS = re2.compile(r"[\pL\pM\pN_]+")
_LATIN = re2.compile(r"[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text. `hidden` spans are spelled out (`⟦U+202E⟧`) and do not stand in the original like that."""

    text: str
    hidden: bool


def reveal(text: str) -> str:
    """`text` with every hidden, reordering or disguised character as ⟦U+202E⟧; nothing is left out."""
    return "".join(span.text for span in spans(text))


def has_hidden(text: str) -> bool:
    """Whether `reveal` would change anything."""
    return any(span.hidden for span in spans(text))


def spans(text: str) -> Iterator[Span]:
    """`text` cut into what can be shown as it is and what must be spelled out, in order."""
    text = text.replace("\r\n", "\n")
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        yield Span(text, hidden=False)
        return
    disguised = _disguised(text)
    marks = (index in disguised or _is_hidden(text, index) for index in range(len(text)))
    for hidden, run in groupby(zip(marks, text, strict=True), key=lambda pair: pair[0]):
        letters = [letter for _, letter in run]
        yield Span("".join(map(_spelled, letters)) if hidden else "".join(letters), hidden=hidden)


def _spelled(letter: str) -> str:
    return f"⟦U+{ord(letter):04X}⟧"


def _is_hidden(text: str, index: int) -> bool:
    letter = text[index]
    if letter in _PLAIN:
        return False
    if _is_variation_selector(letter):
        # U+FE0F behind a symbol only asks for its colour picture; anywhere else it carries hidden bytes.
        return index == 0 or letter not in "\ufe0e\ufe0f" or unicodedata.category(text[index - 1]) != "So"
    return letter in _BLANK_LETTERS or unicodedata.category(letter) in _HIDDEN_CATEGORIES


def _is_variation_selector(letter: str) -> bool:
    return "\ufe00" <= letter <= "\ufe0f" or "\U000e0100" <= letter <= "\U000e01ef"


def _disguised(text: str) -> set[int]:
    """Places of letters that pass for Latin ones inside a word that has Latin ones: `pаypal` with a Cyrillic а."""
    places: set[int] = set()
    searched = text.encode("utf-8", "replace").decode()  # re2 refuses lone surrogates; one "?" for each keeps places
    for word in _WORDS.finditer(searched):
        if _LATIN.search(word.group()):
            places.update(index for index in range(*word.span()) if _passes_for_latin(text[index]))
    return places


def _passes_for_latin(letter: str) -> bool:
    return letter in _GREEK_LOOKALIKES or unicodedata.name(letter, "").startswith(_LOOKALIKE_SCRIPTS)

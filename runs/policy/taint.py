"""Finds text in a call's arguments that was copied from untrusted results or the alert, disguised or not. Pure.

An argument is tainted where it shares 12 characters in a row, or any URL, host, address or path, with untrusted
text: joined with other text, with other case or blanks, URL-encoded, in base64, hex or HTML entities, two deep.
What says the same in other words is not found. Windows of 12 characters are compared by a polynomial hash in numpy: the
arguments' windows are indexed once, and each result is passed over once.
"""

from __future__ import annotations

import base64
import binascii
import html
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

import numpy as np
import re2

SPAN = 12  # characters: a shorter piece stands in honest text by chance
MOST_SPANS, SPAN_SHOWN = 3, 120  # kept of one argument, for people
DEPTH = 2  # encodings inside each other that are undone
FORMS_LIMIT = 200_000  # characters of all forms of one argument's text
BREAK = "\x00"  # between two texts: no span runs across it
ACROSS = np.uint64(0)  # in place of the hash of a window across a break
_MULTIPLIER = np.uint64(0x9E37_79B9_7F4A_7C15)
_TABLE_BITS = 20
_FORMAT = {code: None for code in range(0x11_0000) if unicodedata.category(chr(code)) == "Cf"}  # zero-width, bidi
_BASE64 = re2.compile(r"[A-Za-z0-9+/_-]{8,}")
_LONG_BASE64 = re2.compile(r"[A-Za-z0-9+/_-]{24,}")
_HEX = re2.compile(r"(?:[0-9a-fA-F]{2}){4,}")
_TOKENS = re2.compile(
    r"[a-z][a-z0-9+.-]*://[^\s\x00\"'<>|]+"  # a URL
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"  # an e-mail address
    r"|\d{1,3}(?:\.\d{1,3}){3}|[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}"  # an address or a host
    r"|/[\w.-]{2,}(?:/[\w.-]+)*|[a-z]:\\[\w.\\-]+"  # a path
)
_HOST = re2.compile(r"[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}|\d{1,3}(?:\.\d{1,3}){3}")


@dataclass(frozen=True, slots=True)
class Mark:
    """One argument that holds copied text, and where that text was seen: `E4`, or `alert`."""

    argument: str
    sources: list[str]  # those of the longest copy first
    spans: list[str]  # the longest, normalised and cut, for people

    def as_json(self) -> dict[str, Any]:
        return {"argument": self.argument, "sources": self.sources, "spans": self.spans}


@dataclass(slots=True)
class _Form:
    """One reading of one argument: its normalised text, the hashes of its windows, and what of it was seen where."""

    call: int
    argument: str
    text: str
    windows: np.ndarray[Any, Any]
    tokens: list[str]
    seen: dict[str, list[str]] = field(default_factory=dict)  # source → spans


class TaintIndex:
    """The arguments of some calls, ready to be compared with any number of results, each passed over once."""

    def __init__(self, calls: Sequence[Mapping[str, Any]], trusted: str = "") -> None:
        self._count, self._trusted = len(calls), normal(trusted)
        self._forms = [
            _Form(number, name, text, windows(text), _tokens(text))
            for number, args in enumerate(calls)
            for name, value in args.items()
            for text in _forms(BREAK.join(strings(value)))
        ]
        self._table = np.zeros(1 << _TABLE_BITS, dtype=bool)
        for form in self._forms:
            self._table[_slots(form.windows)] = True

    def look(self, source: str, text: str) -> None:
        """Compare one untrusted text with every argument."""
        for reading in _readings(text):
            found = windows(reading)
            found = np.unique(found[self._table[_slots(found)]])  # few: what cannot be in any argument falls out here
            found = found[found != ACROSS]
            for form in self._forms:
                if spans := [*self._shared(form, found), *(t for t in form.tokens if _stands_in(t, reading))]:
                    form.seen.setdefault(source, []).extend(spans)

    def marks(self) -> list[list[Mark]]:
        """For each call its tainted arguments, in the order of the arguments."""
        return [list(self._marks(number)) for number in range(self._count)]

    def _marks(self, number: int) -> Iterator[Mark]:
        forms = [form for form in self._forms if form.call == number and form.seen]
        for name in dict.fromkeys(form.argument for form in forms):
            own = [form for form in forms if form.argument == name]
            found = [(source, span) for form in own for source, spans in form.seen.items() for span in spans]
            longest: dict[str, int] = {}
            for source, span in found:
                longest[source] = max(len(span), longest.get(source, 0))
            yield Mark(
                name, sorted(longest, key=lambda source: (-longest[source], *_by_number(source))),
                [span[:SPAN_SHOWN] for span in sorted({span for _, span in found}, key=_by_length)[:MOST_SPANS]],
            )  # fmt: skip

    def _shared(self, form: _Form, found: np.ndarray[Any, Any]) -> Iterator[str]:
        starts = np.flatnonzero(np.isin(form.windows, found)) if found.size else found
        for first, last in _runs(starts):
            span = form.text[first : last + SPAN].strip()
            if len(span) >= SPAN and span not in self._trusted:  # blanks at its ends are no part of it
                yield span


def _by_length(span: str) -> tuple[int, str]:
    return -len(span), span


def _by_number(source: str) -> tuple[bool, int, str]:
    number = source[1:]
    return not number.isdecimal(), int(number) if number.isdecimal() else 0, source


def _runs(places: np.ndarray[Any, Any]) -> Iterator[tuple[int, int]]:
    """First and last of each unbroken run of places."""
    if places.size:
        for run in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1):
            yield int(run[0]), int(run[-1])


def normal(text: str) -> str:
    """What a copy keeps: compatibility forms, case, blanks and invisible characters made alike."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_FORMAT)
        text = unicodedata.normalize("NFKC", text.upper().casefold())
    return " ".join(text.lower().split())


def windows(text: str) -> np.ndarray[Any, Any]:
    """A 64-bit hash of every 12 characters in a row; none for shorter text, ACROSS for those with a break in them."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    count = len(codes) - SPAN + 1
    if count <= 0:
        return np.empty(0, dtype=np.uint64)
    hashes = np.zeros(count, dtype=np.uint64)
    for offset in range(SPAN):
        hashes *= _MULTIPLIER
        hashes += codes[offset : offset + count] + np.uint64(1)
    hashes ^= hashes >> np.uint64(29)
    hashes *= _MULTIPLIER
    if BREAK in text:
        hashes[np.convolve(codes == 0, np.ones(SPAN))[SPAN - 1 : SPAN - 1 + count] > 0.5] = ACROSS
    return hashes


def _slots(hashes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    slots: np.ndarray[Any, Any] = (hashes >> np.uint64(64 - _TABLE_BITS)).astype(np.intp)
    return slots


def strings(value: Any) -> Iterator[str]:
    """Every text inside a JSON value, keys too."""
    match value:
        case str():
            yield value
        case Mapping():
            for key, item in value.items():
                yield str(key)
                yield from strings(item)
        case list() | tuple():
            for item in value:
                yield from strings(item)


def _readings(text: str) -> Iterator[str]:
    """An untrusted text as it stands, and what stands in it encoded."""
    yield normal(text)
    if "%" in text:
        yield normal(unquote_plus(text))
    if runs := _LONG_BASE64.findall(_readable(text)):
        yield normal(BREAK.join(filter(None, (_from_base64(run) for run in runs))))


def _forms(text: str) -> list[str]:
    """The text and what it decodes to, each normalised and once."""
    level, found, size = [text], dict.fromkeys([normal(text)]), len(text)
    for _ in range(DEPTH):
        level = list(dict.fromkeys(decoded for one in level for decoded in _decoded(one)))
        for decoded in level:
            size += len(decoded)
            if size > FORMS_LIMIT:
                return list(found)
            found.setdefault(normal(decoded))
    return list(found)


def _decoded(text: str) -> Iterator[str]:
    text = _readable(text)
    if "%" in text or "+" in text:
        yield unquote_plus(text)
    if "&" in text:
        yield html.unescape(text)
    for joined in dict.fromkeys([text, text.replace("\r", "").replace("\n", "")]):
        # What stands right before an encoded piece shifts it: each of the four places may be its beginning.
        runs = _BASE64.findall(joined)
        for shift in range(4):
            if pieces := [piece for run in runs if (piece := _from_base64(run[shift:]))]:
                yield BREAK.join(pieces)
    if pieces := [_text(bytes.fromhex(run)) for run in _HEX.findall(text)]:
        yield BREAK.join(pieces)


def _from_base64(run: str) -> str:
    whole = run[: len(run) - (len(run) % 4 == 1)]  # one left-over letter is no byte
    try:
        return _text(base64.b64decode(whole.replace("-", "+").replace("_", "/") + "=" * (-len(whole) % 4)))
    except (binascii.Error, ValueError):
        return ""


def _text(raw: bytes) -> str:
    # Without its zeros, ASCII in UTF-16 is ASCII.
    return raw.replace(b"\x00", b"").decode("utf-8", "ignore")


def _readable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()  # RE2 takes no lone surrogates


def _tokens(text: str) -> list[str]:
    """URLs, hosts, addresses and paths that are too short for a window; longer ones are found by theirs."""
    found: dict[str, None] = {}
    for token in _TOKENS.findall(_readable(text)):
        for part in (token, *_HOST.findall(token)):
            if len(part) < SPAN:
                found.setdefault(part.rstrip(".,;:"))
    return list(found)


def _stands_in(token: str, text: str) -> bool:
    """Whether the token stands there by itself: `a.io` does not stand in `data.io`."""
    start = text.find(token)
    while start >= 0:
        end = start + len(token)
        if not _continues(text[start - 1 : start]) and not _continues(text[end : end + 1]):
            return True
        start = text.find(token, start + 1)
    return False


def _continues(letter: str) -> bool:
    return letter.isalnum() or letter in ("-", "_")

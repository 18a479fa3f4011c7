"""The block scan finds exactly what a look at each entry finds, for any pattern, and no pattern is slow."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.base import ToolError
from tools.sources.logs import matching
from tools.sources.logs.index import LogIndex, build
from tools.sources.logs.matching import compile_pattern, matching_rows

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PATTERNS = [
    "a", "ab", "a.*b", "[^a]+", r"a\s+b", "b$", "^a", r"\Aab", "(a|b){2,}", "", "a?", r"[^x]*b", r"\bab\b", r'"', r"\\",
    "é", "2026", "msg", r"b\z", "(?i)AB", "a|^b",
]  # fmt: skip
MESSAGES = st.text(alphabet='ab é"\\xB\n\t1', max_size=12)


def index_of(messages: list[str], as_json: bool) -> LogIndex:
    def line(message: str) -> str:
        if as_json:
            return json.dumps({"ts": "2026-03-01T09:00:00Z", "msg": message})
        return "2026-03-01T09:00:00Z " + message.replace("\n", " ")

    # Lines that cannot be read lie between the entries of a JSON file and must never be found.
    content = ('\n{"broken": "ab\n' if as_json else "\n").join(map(line, messages)).encode()
    return build("a.jsonl" if as_json else "a.log", content, "", NOON)


def one_by_one(index: LogIndex, pattern: str) -> list[int]:
    """The slow and obvious way: an entry matches by its line or by its message."""
    compiled = re2.compile(f"(?m){pattern}".encode())
    texts = ((row, (index.raw(row), index.body(row).message.encode())) for row in range(len(index.times)))
    return [row for row, both in texts if any(compiled.search(text) for text in both)]


@settings(max_examples=300, deadline=None)
@given(st.lists(MESSAGES, max_size=12), st.sampled_from(PATTERNS), st.booleans(), st.sampled_from([8, 60, 2**18]))
def test_the_scan_finds_what_a_look_at_each_entry_finds(
    messages: list[str], text: str, as_json: bool, block: int
) -> None:
    index = index_of(messages, as_json)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "BLOCK", block)
        found = matching_rows(index, np.arange(len(index.times)), compile_pattern(text, ignore_case=False))
    assert found.tolist() == one_by_one(index, text)


@pytest.mark.parametrize(
    ("message", "pattern", "as_json"),
    [
        ('say "no" twice', 'y "no" t', True),  # escaped in the file, not in the message
        ("café closed", "café", True),
        ("first\nsecond", "^second$", True),  # anchors hold at each line of an entry
        ("timed out", "^timed", True),  # and at the message, not only at the line as written
        ("timed out", "out$", False),
    ],
)
def test_a_pattern_sees_the_message_as_a_person_reads_it(message: str, pattern: str, as_json: bool) -> None:
    index = index_of(["other", message, "other"], as_json)
    rows = np.arange(len(index.times))
    assert matching_rows(index, rows, compile_pattern(pattern, ignore_case=False)).tolist() == [1]


@given(st.lists(MESSAGES, max_size=12), st.sets(st.integers(0, 11)))
def test_only_entries_that_were_asked_for_are_found(messages: list[str], asked: set[int]) -> None:
    index = index_of(messages, as_json=True)
    rows = np.array(sorted(row for row in asked if row < len(index.times)), np.int64)
    found = matching_rows(index, rows, compile_pattern("a", ignore_case=False))
    assert set(found.tolist()) == set(rows.tolist()) & set(one_by_one(index, "a"))


@pytest.mark.parametrize("text", ["(a+)+$", "(a|aa)+$", "(a|a?)+$", "(.*a){20}", "([a-z]+)*d"])
def test_patterns_that_explode_in_a_backtracking_engine_come_to_an_end(text: str) -> None:
    index = index_of(["a" * 50_000 + "!"], as_json=False)
    matching_rows(index, np.arange(1), compile_pattern(text, ignore_case=True))


@pytest.mark.parametrize("text", ["(", "[z-a]", "a{1,9999}", r"(?P<x>a)(?P=x)", "(?<=a)b", "a++", "\ud800"])
def test_what_re2_does_not_take_is_refused_in_words(text: str) -> None:
    with pytest.raises(ToolError) as caught:
        compile_pattern(text, ignore_case=True)
    assert "not a valid RE2 expression" in str(caught.value)

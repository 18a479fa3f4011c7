"""Tests on a call's arguments: `severity: [SEV1, SEV2]`, `title: {matches: "orders-.*"}`, `count: {max: 10}`.

A path leads into the arguments by dots: `labels.team`, `hosts[0]`, `hosts[any].name`, `hosts[all].name`. What is not
there passes no test but `present: false`. Text is compared exactly; true is not 1. RE2 patterns match the whole text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import re2

Test = Any  # a plain value, a list of them, or a mapping of operators, as JSON gives them
PATTERN_LIMIT = 500  # characters
TESTS_LIMIT = 20  # of one rule
PLAIN = (str, int, float, bool, type(None))
_PATH = re2.compile(r"[A-Za-z0-9_-]+(?:\[(?:\d{1,4}|any|all)\])*(?:\.[A-Za-z0-9_-]+(?:\[(?:\d{1,4}|any|all)\])*)*")
_PARTS = re2.compile(r"[A-Za-z0-9_-]+|\[(?:\d{1,4}|any|all)\]")


def check_tests(tests: Mapping[str, Test]) -> None:
    """Raises ValueError that says which test cannot be used and what would be valid."""
    if len(tests) > TESTS_LIMIT:
        raise ValueError(f"{len(tests)} arguments are tested; at most {TESTS_LIMIT} can be")
    for path, test in tests.items():
        if not _PATH.fullmatch(path):
            raise ValueError(f"{path!r} is no path to an argument; write title, labels.team or hosts[any].name")
        for operator, operand in _operators(test):
            if operator not in OPERATORS:
                raise ValueError(f"{path}: there is no test {operator!r}; tests: {', '.join(OPERATORS)}")
            if wrong := OPERATORS[operator].wrong(operand):
                raise ValueError(f"{path}: {operator}: {wrong}")


def all_hold(tests: Mapping[str, Test], args: Mapping[str, Any]) -> bool:
    """Whether every test holds of these arguments. The tests have been checked."""
    return all(_holds(_PARTS.findall(path), test, args) for path, test in tests.items())


def in_words(path: str, test: Test) -> str:
    """`severity is SEV1 or SEV2`, `title matches "orders-.*"`."""
    return " and ".join(f"{path} {OPERATORS[operator].words(operand)}" for operator, operand in _operators(test))


def _operators(test: Test) -> Iterator[tuple[str, Any]]:
    match test:
        case Mapping():
            yield from test.items()
            if not test:
                yield "", None
        case list() | tuple():
            yield "in", test
        case _:
            yield "is", test


_ABSENT = object()


def _holds(parts: list[str], test: Test, value: Any) -> bool:
    for place, part in enumerate(parts):
        if part in ("[any]", "[all]"):
            if not isinstance(value, list) or not value:
                return _passes(test, _ABSENT)
            rest = (_holds(parts[place + 1 :], test, item) for item in value)
            return any(rest) if part == "[any]" else all(rest)
        value = _inside(value, part)
    return _passes(test, value)


def _inside(value: Any, part: str) -> Any:
    if part.startswith("["):
        index = int(part[1:-1])
        return value[index] if isinstance(value, list) and index < len(value) else _ABSENT
    return value.get(part, _ABSENT) if isinstance(value, Mapping) else _ABSENT


def _passes(test: Test, value: Any) -> bool:
    return all(
        operand is False if value is _ABSENT and operator == "present" else
        value is not _ABSENT and OPERATORS[operator].holds(value, operand)
        for operator, operand in _operators(test)
    )  # fmt: skip


class Operator:
    """One kind of test: whether it holds, how it reads, and what is wrong with an operand ("" where nothing is)."""

    def __init__(
        self, holds: Callable[[Any, Any], bool], words: Callable[[Any], str], wrong: Callable[[Any], str]
    ) -> None:
        self.holds, self.words, self.wrong = holds, words, wrong


def _same(value: Any, wanted: Any) -> bool:
    # JSON's true is not 1, but 1 is 1.0.
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@cache
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def _matches(value: Any, pattern: str) -> bool:
    # RE2 takes no lone surrogates; "?" in their place keeps the text comparable.
    return isinstance(value, str) and bool(_compiled(pattern).fullmatch(value.encode("utf-8", "replace").decode()))


def _wrong_pattern(pattern: Any) -> str:
    if not isinstance(pattern, str) or not 1 <= len(pattern) <= PATTERN_LIMIT:
        return f"a pattern is text of 1 to {PATTERN_LIMIT} characters"
    try:
        _compiled(pattern)
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error.args[0]
        return f"{pattern!r} is not a pattern that RE2 takes: {reason}"
    return ""


def _wrong_plain(value: Any) -> str:
    return "" if isinstance(value, PLAIN) else "compare with text, a number, true, false or null"


def _wrong_list(values: Any) -> str:
    if not isinstance(values, list | tuple) or not values:
        return "give a list of at least one value"
    return next((wrong for wrong in map(_wrong_plain, values) if wrong), "")


def _wrong_number(value: Any) -> str:
    return "" if _is_number(value) else f"{value!r} is not a number"


def _wrong_count(value: Any) -> str:
    return "" if _is_number(value) and value == int(value) >= 0 else f"{value!r} is not a count of characters or items"


def _wrong_text(value: Any) -> str:
    return "" if isinstance(value, str) and value else "give the text that must stand in it"


def _wrong_flag(value: Any) -> str:
    return "" if isinstance(value, bool) else f"{value!r} is neither true nor false"


def spelled(value: Any) -> str:
    """A value as a sentence shows it: text that could be misread stands in quotes."""
    if isinstance(value, str):
        return value if value.replace("-", "").replace("_", "").isalnum() else f'"{value}"'
    return json.dumps(value)


def listed(values: Any, word: str = "or") -> str:
    """`a`, `a or b`, `a, b or c`."""
    texts = [spelled(value) for value in values]
    return f"{', '.join(texts[:-1])} {word} {texts[-1]}" if len(texts) > 1 else "".join(texts)


OPERATORS: dict[str, Operator] = {
    "is": Operator(_same, lambda wanted: f"is {spelled(wanted)}", _wrong_plain),
    "in": Operator(
        lambda value, wanted: any(_same(value, one) for one in wanted), lambda w: f"is {listed(w)}", _wrong_list
    ),
    "not_in": Operator(
        lambda value, wanted: not any(_same(value, one) for one in wanted), lambda w: f"is not {listed(w)}", _wrong_list
    ),
    "matches": Operator(_matches, lambda pattern: f'matches "{pattern}"', _wrong_pattern),
    "contains": Operator(
        lambda value, part: isinstance(value, str) and part.casefold() in value.casefold(),
        lambda part: f'contains "{part}"', _wrong_text,
    ),
    "min": Operator(
        lambda value, least: _is_number(value) and value >= least, lambda n: f"is at least {n}", _wrong_number
    ),
    "max": Operator(
        lambda value, most: _is_number(value) and value <= most, lambda n: f"is at most {n}", _wrong_number
    ),
    "max_length": Operator(
        lambda value, most: isinstance(value, str | list) and len(value) <= most,
        lambda n: f"is no longer than {n}", _wrong_count,
    ),
    "present": Operator(lambda value, wanted: wanted, lambda w: "is given" if w else "is not given", _wrong_flag),
}  # fmt: skip

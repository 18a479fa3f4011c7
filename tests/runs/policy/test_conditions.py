"""Tests on arguments: what holds, what does not, and what is refused before it could decide anything."""

from __future__ import annotations

from typing import Any

import pytest

from runs.policy.conditions import all_hold, check_tests, in_words

ARGS: dict[str, Any] = {
    "title": "orders-api: pool exhausted", "severity": "SEV2", "count": 10, "dry_run": True, "owner": None,
    "labels": {"team": "payments"},
    "hosts": [{"name": "db-1", "port": 5432}, {"name": "db-2", "port": 5433}],
    "none": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "test"),
    [
        ("severity", "SEV2"), ("severity", ["SEV1", "SEV2"]), ("severity", {"not_in": ["SEV1"]}),
        ("title", {"matches": "orders-api: .*"}), ("title", {"contains": "POOL"}), ("title", {"max_length": 26}),
        ("count", 10), ("count", 10.0), ("count", {"min": 10, "max": 10}), ("dry_run", True), ("owner", None),
        ("labels.team", "payments"), ("hosts[0].name", "db-1"), ("hosts[any].port", 5433),
        ("hosts[all].name", {"matches": "db-[0-9]"}), ("missing", {"present": False}), ("title", {"present": True}),
        ("hosts", {"max_length": 2}),
    ],
)  # fmt: skip
def test_what_holds(path: str, test: Any) -> None:
    check_tests({path: test})
    assert all_hold({path: test}, ARGS)


@pytest.mark.parametrize(
    ("path", "test"),
    [
        ("severity", "sev2"), ("severity", "SEV2 "), ("severity", {"in": ["SEV1", "SEV3"]}),
        ("title", {"matches": "orders-api"}),  # a pattern matches the whole text, not its beginning
        ("title", {"max_length": 25}), ("count", True), ("dry_run", 1), ("count", "10"), ("count", {"max": 9}),
        ("severity", {"min": 1}), ("labels", "payments"), ("labels.team.name", "payments"), ("hosts[2].name", "db-1"),
        ("hosts[all].port", 5432), ("none[all].name", "db-1"), ("none[any].name", "db-1"),
        ("missing", {"not_in": ["a"]}), ("missing", None), ("missing", {"present": True}),
        ("title", {"present": False}),
    ],
)  # fmt: skip
def test_what_does_not_hold(path: str, test: Any) -> None:
    check_tests({path: test})
    assert not all_hold({path: test}, ARGS)


@pytest.mark.parametrize(
    ("tests", "words"),
    [
        ({"severity": {"like": "SEV1"}}, "there is no test 'like'; tests: is, in, not_in"),
        ({"severity": {}}, "there is no test ''"),
        ({"severity": []}, "at least one value"),
        ({"severity": [{"a": 1}]}, "compare with text"),
        ({"title": {"matches": "(?<=x)y"}}, "is not a pattern that RE2 takes"),
        ({"title": {"matches": "a" * 501}}, "1 to 500 characters"),
        ({"count": {"max": "ten"}}, "'ten' is not a number"),
        ({"count": {"max": True}}, "True is not a number"),
        ({"a..b": 1}, "is no path to an argument"),
        ({"__class__.__mro__[x]": 1}, "is no path to an argument"),
        ({f"a{n}": 1 for n in range(21)}, "at most 20"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(tests: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError) as refused:
        check_tests(tests)
    assert words in str(refused.value)


def test_an_argument_that_re2_cannot_read_only_fails_the_test() -> None:
    assert not all_hold({"title": {"matches": "[a-z]+"}}, {"title": "ab\ud800"})
    assert all_hold({"title": {"matches": "ab."}}, {"title": "ab\ud800"})


@pytest.mark.parametrize(
    ("test", "words"),
    [
        (["SEV1", "SEV2"], "x is SEV1 or SEV2"),
        ({"not_in": ["a b", 3, None]}, 'x is not "a b", 3 or null'),
        ({"matches": "a.*"}, 'x matches "a.*"'),
        ({"min": 1, "max": 10}, "x is at least 1 and x is at most 10"),
        (True, "x is true"),
        ({"present": False}, "x is not given"),
    ],
)
def test_conditions_read_as_sentences(test: Any, words: str) -> None:
    assert in_words("x", test) == words

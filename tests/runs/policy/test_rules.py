"""Rules: the order decides, every part must match, and what nobody wrote a rule for is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from runs.policy.rules import Rule, Ruling, Subject, duration, first_match, version_of


def a_rule(**parts: Any) -> Rule:
    return Rule.model_validate({"name": "r", "then": "run", **parts})


def a_call(**parts: Any) -> Subject:
    return Subject(**{"tool": "create_ticket", "risk": "write", **parts})


def test_the_first_that_matches_decides() -> None:
    rules = [a_rule(name="reads", risk="read"), a_rule(name="tickets", tool="create_*", then="approve", votes=2,
             role="administrator", expires="4h"), a_rule(name="rest")]  # fmt: skip

    assert first_match(rules, a_call(), "v1") == Ruling("approve", 2, "administrator", "tickets", 14_400, "v1")
    assert first_match(rules, a_call(tool="x")).name == "rest"
    assert first_match(list(reversed(rules)), a_call()).name == "rest"


def test_none_matching_refuses() -> None:
    assert first_match([], a_call()).effect == "refuse"
    assert first_match([a_rule(risk="read")], a_call()).effect == "refuse"


@pytest.mark.parametrize(
    ("parts", "call"),
    [
        ({"tool": "create_*"}, {}),
        ({"risk": "write"}, {}),
        ({"arguments": {"severity": "SEV1"}}, {"args": {"severity": "SEV1"}}),
        ({"environment": "prod"}, {"environments": frozenset({"prod", "staging"})}),
        ({"environment": {"only": ["staging", "dev"]}}, {"environments": frozenset({"staging"})}),
        ({"starter": ["alert", "service"]}, {"starter": "service"}),
        ({"tainted": True}, {"tainted": frozenset({"body"})}),
        ({"tainted": False}, {}),
        ({"tainted": ["url", "to*"]}, {"tainted": frozenset({"body", "to_address"})}),
    ],
)
def test_a_part_that_matches(parts: dict[str, Any], call: dict[str, Any]) -> None:
    assert a_rule(**parts).matches(a_call(**call))


@pytest.mark.parametrize(
    ("parts", "call"),
    [
        ({"tool": "create"}, {}),
        ({"tool": "CREATE_TICKET"}, {}),
        ({"risk": "read"}, {}),
        ({"arguments": {"severity": "SEV1"}}, {"args": {"severity": "SEV2"}}),
        ({"arguments": {"severity": "SEV1"}}, {}),
        ({"environment": "prod"}, {"environments": frozenset({"staging"})}),
        ({"environment": {"only": ["staging"]}}, {"environments": frozenset({"staging", "prod"})}),
        ({"environment": {"only": ["staging"]}}, {}),
        ({"starter": "operator"}, {"starter": "approver"}),
        ({"tainted": True}, {}),
        ({"tainted": False}, {"tainted": frozenset({"body"})}),
        ({"tainted": ["url"]}, {"tainted": frozenset({"body"})}),
        ({"tool": "create_*", "risk": "write", "starter": "cli"}, {"starter": "alert"}),
    ],
)
def test_one_part_that_does_not_match_is_enough(parts: dict[str, Any], call: dict[str, Any]) -> None:
    assert not a_rule(**parts).matches(a_call(**call))


@pytest.mark.parametrize(
    "parts",
    [
        {"then": "allow"}, {"votes": 0}, {"votes": 11}, {"votes": True}, {"votes": "2"}, {"role": "owner"},
        {"risk": "high"}, {"starter": "root"}, {"tool": "a[b]"}, {"tool": ""}, {"expires": "4m"}, {"expires": "31d"},
        {"expires": "soon"}, {"environment": {"only": []}}, {"tainted": []}, {"tainted": "yes"}, {"name": ""},
        {"arguments": {"x": {"like": 1}}}, {"when": "always"},
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_read_is_no_rule(parts: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        a_rule(**parts)


def test_the_version_changes_with_any_rule_and_with_their_order() -> None:
    one, two = a_rule(name="one"), a_rule(name="two", then="refuse")
    versions = {
        version_of(rules)
        for rules in ([], [one], [one, two], [two, one], [one, a_rule(name="two", then="refuse", votes=2)],
                      [a_rule(name="one", arguments={"a": 1})], [a_rule(name="one", arguments={"a": True})])
    }  # fmt: skip

    assert len(versions) == 7
    assert version_of([one, two]) == version_of([a_rule(name="one", votes=1), a_rule(name="two", then="refuse")])


def test_a_time_is_said_in_its_largest_exact_unit() -> None:
    assert [duration(s) for s in (300, 5_400, 86_400, 172_800, 301)] == ["5m", "90m", "24h", "2d", "301 s"]

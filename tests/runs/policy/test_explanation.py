"""What a rule set comes to: sentences for each tool, rules in vain, votes that nobody has."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runs.policy.difference import difference
from runs.policy.explanation import Voters, covers, explain, notes, problems
from runs.policy.rules import Rule, Subject
from tests.runs.policy.test_rules import a_rule

TOOLS = {"search_logs": "read", "create_ticket": "write", "restart": "destructive"}
SEV1 = {"arguments": {"severity": "SEV1"}}


def _lines(rules: list[Rule], risk: str, tool: str) -> list[str]:
    (verdict,) = [v for v in explain(rules, TOOLS) if v.risk == risk and tool in v.tools]
    return list(verdict.lines())


def test_each_tool_is_told_what_happens_when() -> None:
    rules = [
        a_rule(name="reads", risk="read"),
        a_rule(name="loud", tool="create_*", **SEV1, environment="prod", then="approve", votes=2, expires="4h"),
        a_rule(name="writes", risk="write", then="confirm"),
    ]

    assert _lines(rules, "read", "search_logs") == ["runs (rule 1 “reads”)"]
    assert _lines(rules, "write", "create_ticket") == [
        "where severity is SEV1 and a source is in prod: waits for 2 votes of an approver, open for 4h (rule 2 “loud”)",
        "otherwise: waits for the owner of the run, or 1 vote of an approver (rule 3 “writes”)",
    ]
    assert _lines(rules, "write", "any other tool") == [
        "waits for the owner of the run, or 1 vote of an approver (rule 3 “writes”)"
    ]
    assert _lines(rules, "destructive", "restart") == ["is refused (no rule matches)"]


def test_a_rule_that_can_never_match_is_no_case_of_any_tool() -> None:
    rules = [a_rule(name="wide", tool="create_*", then="refuse", arguments={"severity": ["SEV1", "SEV2"]}),
             a_rule(name="vain", tool="create_ticket", **SEV1), a_rule(name="rest", then="confirm")]  # fmt: skip

    assert [line.rpartition("(")[2] for line in _lines(rules, "write", "create_ticket")] == [
        "rule 1 “wide”)", "rule 3 “rest”)",
    ]  # fmt: skip


def test_tools_that_fare_alike_are_told_together() -> None:
    (verdict,) = [v for v in explain([a_rule(risk="write")], TOOLS) if v.risk == "write"]

    assert verdict.tools == ["create_ticket", "any other tool"]


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([a_rule(name="all"), a_rule(name="late", risk="write")], "Rule 2 “late” can never match: rule 1 “all”"),
        ([a_rule(name="a", tool="create_*"), a_rule(name="b", tool="create_ticket", **SEV1)], "Rule 2 “b” can never"),
        ([a_rule(name="t", tainted=True), a_rule(name="c", tainted=False), a_rule(name="late")],
         "Rule 3 “late” can never match: rule 1 “t” and rule 2 “c” decide before it."),
        ([a_rule(name=r, risk=r) for r in ("read", "read_egress", "write", "destructive")] + [a_rule(name="rest")],
         "Rule 5 “rest” can never match"),
        ([a_rule(name="a", arguments={"severity": ["SEV1", "SEV2"]}), a_rule(name="b", **SEV1)], "Rule 2 “b” can"),
        ([a_rule(name="a", environment=["prod", "dev"]), a_rule(name="b", environment={"only": ["prod"]})], "Rule 2"),
        ([a_rule(name="a", tainted=True), a_rule(name="b", tainted=["url"])], "Rule 2"),
        ([a_rule(name="r", risk="read"), a_rule(name="w", risk="write"), a_rule(name="t", tool="create_ticket")],
         "Rule 3 “t” can never match: rule 2 “w” decides before it."),  # its tool only writes
        ([a_rule(name="x", tool="delete_*")], "is about delete_*, and no tool that is installed is called so"),
        ([a_rule(name="x", tool="create_ticket", risk="read")], "of risk read, but its risk is write"),
    ],
)  # fmt: skip
def test_a_rule_in_vain_is_named_with_what_decides_before_it(rules: list[Rule], words: str) -> None:
    assert any(words in problem for problem in problems(rules, TOOLS)), problems(rules, TOOLS)


@pytest.mark.parametrize(
    "rules",
    [
        [a_rule(name="narrow", **SEV1), a_rule(name="wide")],
        [a_rule(name="a", arguments={"severity": "SEV1"}), a_rule(name="b", arguments={"severity": ["SEV1", "SEV2"]})],
        [a_rule(name="a", environment={"only": ["prod"]}), a_rule(name="b", environment="prod")],
        [a_rule(name="a", starter=["alert"]), a_rule(name="b")],
        [a_rule(name="a", tainted=["url"]), a_rule(name="b", tainted=True)],
        [a_rule(name="a", tool="create_?icket"), a_rule(name="b", tool="create_*")],
        [a_rule(name="a", arguments={"severity": 1}), a_rule(name="b", arguments={"severity": True})],
    ],
)
def test_a_rule_with_something_left_is_not_in_vain(rules: list[Rule]) -> None:
    assert problems(rules, TOOLS) == []


PARTS: dict[str, Any] = {
    "tool": st.sampled_from(["*", "create_*", "create_ticket", "create_?", "c*t"]),
    "risk": st.sampled_from(["", "read", "write"]),
    "starter": st.sampled_from([[], ["alert"], ["alert", "cli"]]),
    "tainted": st.sampled_from([None, True, False, ["url"], ["url", "b*"]]),
    "environment": st.sampled_from([[], ["prod"], ["prod", "dev"], {"only": ["prod"]}, {"only": ["prod", "dev"]}]),
    "arguments": st.sampled_from([{}, {"s": 1}, {"s": [1, 2]}, {"s": {"max": 2}}]),
}
A_RULE = st.fixed_dictionaries(PARTS).map(lambda parts: a_rule(**parts))
A_CALL = st.builds(
    Subject, tool=st.sampled_from(["create_ticket", "create_x", "cat", "x"]), risk=st.sampled_from(["read", "write"]),
    args=st.sampled_from([{}, {"s": 1}, {"s": 2}, {"s": 3}]),
    environments=st.sampled_from([frozenset(), frozenset({"prod"}), frozenset({"prod", "dev"}), frozenset({"qa"})]),
    starter=st.sampled_from(["alert", "cli", "viewer"]),
    tainted=st.sampled_from([frozenset(), frozenset({"url"}), frozenset({"body"}), frozenset({"to"})]),
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(A_RULE, A_RULE, A_CALL)
def test_what_is_said_to_be_covered_is(one: Rule, other: Rule, call: Subject) -> None:
    if covers(one, other) and other.matches(call):
        assert one.matches(call)


def test_votes_that_nobody_has_are_a_problem_and_all_of_them_a_note() -> None:
    rules = [a_rule(name="two", risk="write", then="approve", votes=2)]
    few, just, many = (Voters(name, {"approver": n, "operator": 9}) for name, n in (("a", 1), ("b", 2), ("c", 3)))

    assert problems(rules, TOOLS, [few, just, many]) == [
        "Rule 1 “two” asks for 2 votes of an approver, and team a has 1: nobody can approve it."
    ]
    assert [note for note in notes(rules, TOOLS, [few, just, many]) if "team" in note] == [
        "Rule 1 “two” needs everybody who could vote in team b: what one of them starts is never approved."
    ]


def test_tools_that_no_rule_names_are_noted_as_refused() -> None:
    rules = [a_rule(risk="read"), a_rule(risk="write", **SEV1)]

    assert notes(rules, TOOLS) == [
        "create_ticket (write): what no rule names is refused.",
        "restart (destructive): every call is refused.",
    ]


def test_a_difference_names_what_goes_and_what_comes_with_its_place() -> None:
    old = [a_rule(name="a"), a_rule(name="b", risk="write"), a_rule(name="c")]
    new = [a_rule(name="a"), a_rule(name="b", risk="write", then="refuse"), a_rule(name="c"), a_rule(name="d")]

    assert [line[:6] for line in difference(old, new)] == ["   1. ", "-  2. ", "+  2. ", "   3. ", "+  4. "]
    assert difference(old, new)[2] == "+  2. b: any call of risk write: is refused"
    assert [line[0] for line in difference(old, list(reversed(old)))].count("-") == 2

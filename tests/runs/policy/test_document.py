"""Rule sets as YAML: they come back as they went, and every mistake is named with its rule."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runs.policy.document import PRESETS, PolicyError, preset, read_document, write_document
from runs.policy.rules import RISKS, STARTERS, Rule, first_match, version_of
from runs.states import Effect, Role
from tests.runs.policy.test_rules import a_call

TEXT = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=30).filter(
    lambda t: t.strip() == t
)
PLAIN = st.one_of(TEXT, st.integers(-(2**53), 2**53), st.booleans(), st.none())
TESTS = st.one_of(
    PLAIN,
    st.lists(PLAIN, min_size=1, max_size=3),
    st.fixed_dictionaries({"min": st.integers(0, 9)}, optional={"max": st.floats(1, 99)}),
    st.fixed_dictionaries({"matches": st.sampled_from(["a.*", "[a-z]{2}", "on", "1.0", "a: b #c"])}),
    st.fixed_dictionaries({"not_in": st.lists(PLAIN, min_size=1, max_size=3), "present": st.booleans()}),
)
PATHS = st.sampled_from(["severity", "labels.team", "hosts[any].name", "hosts[0]", "on", "no", "x-1"])
GLOBS = st.text("abz_*?.-", min_size=1, max_size=12)
RULES = st.fixed_dictionaries(
    {"name": TEXT, "then": st.sampled_from(list(map(str, Effect)))},
    optional={
        "tool": GLOBS,
        "risk": st.sampled_from(["", *RISKS]),
        "arguments": st.dictionaries(PATHS, TESTS, max_size=3),
        "environment": st.one_of(TEXT, st.lists(TEXT, max_size=3),
                                 st.fixed_dictionaries({"only": st.lists(TEXT, min_size=1, max_size=2)})),
        "starter": st.lists(st.sampled_from(STARTERS), max_size=3),
        "tainted": st.one_of(st.booleans(), st.lists(GLOBS, min_size=1, max_size=2)),
        "votes": st.integers(1, 10),
        "role": st.sampled_from(list(map(str, Role))),
        "expires": st.one_of(st.integers(300, 2_592_000), st.sampled_from(["5m", "24h", "30d"])),
    },
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(RULES, max_size=5, unique_by=lambda entry: entry["name"]))
def test_a_rule_set_comes_back_from_yaml_as_it_went(entries: list[dict[str, Any]]) -> None:
    rules = [Rule.model_validate(entry) for entry in entries]

    again = read_document(write_document(rules))

    assert again == rules
    assert version_of(again) == version_of(rules)
    assert write_document(again) == write_document(rules)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rules: [", "this is not YAML"),
        ("- a\n", "a mapping with a list `rules`"),
        ("rules: []\nversion: 2\n", "there is version"),
        ("rules:\n- {name: a, then: run, then: refuse}\n", "'then' is given twice"),
        ("rules:\n- &a {name: a, then: run}\n- *a\n", "aliases are not read"),
        ("rules:\n- !!python/object/apply:os.system ['true']\n", "this is not YAML"),
        ("rules:\n- {name: a, then: run}\n- {name: a, then: run}\n", "two rules are called “a”"),
        ("rules:\n- {name: b, then: run, votes: 11}\n", "rule 1 “b”: votes: input should be less than or equal to 10"),
        ("rules:\n- {name: b, then: run}\n- {name: c}\n", "rule 2 “c”: then: field required"),
        ("rules:\n- {name: b, then: run, when: x}\n", "there is no part 'when'; parts: name, tool, risk, arguments"),
        ("rules:\n- {name: b, then: run, environment: {only: []}}\n", "environment: write prod, [prod, staging] or"),
        ("rules:\n- {name: b, then: run, arguments: {title: {matches: '(?=a)'}}}\n", "not a pattern that RE2 takes"),
        (
            "rules:\n- {name: b, then: run, expires: 1m}\n",
            "expires: a request stays open for 5 minutes (5m) to 30",
        ),
        ("rules:\n- just text\n", "rule 1: rule: input should be a valid dictionary"),
        ("rules: []\n#" + "x" * 200_000, "at most 200,000 are read"),
        ("rules:\n" + "- {name: a, then: run}\n" * 201, "at most 200 are read"),
    ],
)
def test_a_file_that_cannot_be_read_says_which_rule_and_why(text: str, words: str) -> None:
    with pytest.raises(PolicyError) as refused:
        read_document(text)
    assert words in str(refused.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(PolicyError) as refused:
        read_document("rules:\n- {name: a, then: allow, risk: high}\n- {then: run}\n")
    assert len(str(refused.value).splitlines()) == 3


@pytest.mark.parametrize("name", PRESETS)
def test_what_ships_refuses_no_search_and_runs_no_effect_unasked(name: str) -> None:
    rules = preset(name)

    assert first_match(rules, a_call(tool="search_logs", risk="read", tainted=frozenset({"pattern"}))).effect == "run"
    for risk in ("read_egress", "write", "destructive"):
        for tainted in (frozenset[str](), frozenset({"body"}), frozenset({"url"})):
            assert first_match(rules, a_call(risk=risk, tainted=tainted)).effect != "run"


def test_the_teams_preset_asks_for_more_where_copied_text_would_do_harm() -> None:
    rules = preset("team")

    assert first_match(rules, a_call(risk="destructive")).votes == 2
    assert first_match(rules, a_call(risk="destructive", tainted=frozenset({"name"}))).votes == 3
    assert first_match(rules, a_call(risk="read_egress", tainted=frozenset({"callback_url"}))).effect == "refuse"
    assert first_match(rules, a_call(risk="write")).votes == 1

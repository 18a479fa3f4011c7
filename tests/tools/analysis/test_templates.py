"""Grouping of log messages."""

from __future__ import annotations

from tools.analysis.templates import join, mine


def test_messages_that_differ_in_numbers_are_one_template():
    found = mine(["request 17 took 40 ms", "request 18 took 950 ms", "cache flushed"])
    assert [(one.text, one.count) for one in found] == [("request <n> took <n> ms", 2), ("cache flushed", 1)]


def test_masked_keys_that_differ_in_one_word_are_joined():
    found = join({"user alice logged in from <ip>": 5, "user bob logged in from <ip>": 3})
    assert len(found) == 1
    assert found[0].text == "user <*> logged in from <ip>"
    assert found[0].count == 8
    assert set(found[0].members) == {"user alice logged in from <ip>", "user bob logged in from <ip>"}


def test_lines_of_other_statements_stay_apart():
    found = join({"connection refused by peer": 4, "transaction rolled back early": 4, "connection opened": 1})
    assert len(found) == 3


def test_the_order_of_the_keys_does_not_change_the_groups():
    keys = {f"job {name} failed after <n> s": count for count, name in enumerate(("a", "b", "c"), 1)}
    backwards = dict(reversed(keys.items()))
    assert join(keys) == join(backwards)

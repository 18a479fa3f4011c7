"""Grouping of log messages."""

from __future__ import annotations

import pytest

from tools.analysis.templates import join, mine


def test_messages_that_differ_in_numbers_are_one_template():
    found = mine(["request 17 took 40 ms", "request 18 took 950 ms", "cache flushed"])
    assert [(one.text, one.count) for one in found] == [("request <n> took <n> ms", 2), ("cache flushed", 1)]


def test_a_word_that_takes_many_values_is_a_variable():
    people = ("alice", "bob", "carol", "dave", "erin", "frank")
    found = join({f"user {name} logged in from <ip>": 5 for name in people})
    assert [(one.text, one.count) for one in found] == [("user <*> logged in from <*>", 30)]
    assert set(found[0].members) == {f"user {name} logged in from <ip>" for name in people}


def test_a_word_that_takes_few_values_tells_statements_apart():
    found = join({"circuit breaker opened for <n> s": 5, "circuit breaker closed for <n> s": 3})
    assert len(found) == 2


def test_of_names_fewer_are_enough():
    found = join({f"consumer of topic shop.{name}.v1 caught up": 1 for name in ("orders", "carts", "users", "stock")})
    assert [one.text for one in found] == ["consumer of topic <*> caught up"]


@pytest.mark.parametrize(
    "messages",
    [
        ["closed, 0 bytes sent", "closed, 1314 bytes (1.28 KB) sent"],
        ["lifetime 03:09", "lifetime <1 sec"],
        ["acquire name=android, ws=WorkSource{10111}", "acquire name=com.android.phone, ws=null"],
        ["stored at /var/lib/a", "stored at /srv/b/part-7"],
        ["peer example.org:443 gone", "peer 10.0.0.7:80 gone"],
        ["chip FF:F2:9F:16:EB:27 up", "chip FA:D2:9F:AA:EB:BC up"],
        ["block rdd_42_37 stored", "block broadcast_11_piece0 stored"],
        ["nodes node-1 0x1f <ok> joined", "nodes node-1 0x1f <ok> node-2 0x2f <ok> node-3 0x1 <ok> joined"],
        ["took 5 ms", "took 1.25s"],
    ],
)
def test_how_values_are_written_does_not_part_them(messages: list[str]):
    assert len(mine(messages)) == 1


def test_messages_of_several_lines_speak_by_their_first_and_empty_ones_are_one_kind():
    found = mine(["failed: 7\n  at a.b(C.java:12)", "failed: 8\n  at d.e(F.java:99)\n", "", ""])
    assert [(one.text, one.count) for one in found] == [("", 2), ("failed: <n>", 2)]
    assert mine([]) == []


def test_no_text_breaks_it():
    hostile = [
        "\x01\x02",
        "(" * 500,
        "=" * 500,
        "\ud800 lone",
        "x" * 10_000,
        "\x01\x01 \x01",
        "a\x00b",
        "<<<>>>",
        "[{(",
    ]
    assert sum(one.count for one in mine(hostile * 3)) == 3 * len(hostile)


def test_lines_of_other_statements_stay_apart():
    found = join({"connection refused by peer": 4, "transaction rolled back early": 4, "connection opened": 1})
    assert len(found) == 3


def test_the_order_of_the_keys_does_not_change_the_groups():
    keys = {f"job {name} failed after <n> s": count for count, name in enumerate(("a", "b", "c"), 1)}
    backwards = dict(reversed(keys.items()))
    assert join(keys) == join(backwards)

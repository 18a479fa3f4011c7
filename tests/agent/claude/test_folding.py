"""A conversation that no longer fits: its oldest turns become a record, once, and the same one after a restart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agent.claude.folding import record_of
from agent.claude.planner import ClaudePlanner
from agent.errors import Misconfigured, Unusable
from agent.planner import Hypothesis, Item, Move, Noted, Planned, SentBack
from tests.agent.claude.cases import a_call, a_note, a_planner, a_turn, ask, log_data, planned, returned, texts_of
from tests.standins.messages_api import MessagesApi, messages_api

Body = dict[str, Any]


def _turn(number: int) -> dict[str, Any]:
    guess = [{"id": "H1", "statement": f"The pool is too small, says turn {number}"}]
    return a_turn(a_note(f"n{number}", hypotheses=guess), a_call(f"s{number}", pattern=f"word{number}"))


def _go_on(planner: ClaudePlanner, items: list[Item], number: int, at: datetime | None = None) -> Move:
    """One move more, with its result behind it."""
    move = ask(planner, *items)
    data = log_data(6, f"line of turn {number} " + "x" * 300)
    items += [
        Planned(number + 1, move, at or datetime.now(UTC)),
        returned(f"s{number}", f"E{number}", args={"pattern": f"word{number}"}, data=data),
    ]
    return move


def _talk(api: MessagesApi, turns: int, context_tokens: int) -> list[Item]:
    planner, items = a_planner(api, context_tokens=context_tokens), []
    for number in range(turns):
        _go_on(planner, items, number)
    return items


def _prompt_tokens(request: dict[str, Any]) -> int:
    return sum(request["usage"].values())


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _bare(item) for name, item in value.items() if name != "cache_control"}
    return [_bare(item) for item in value] if isinstance(value, list) else value


def test_the_oldest_turns_become_a_record_when_the_budget_is_full(tmp_path: Path) -> None:
    with messages_api(tmp_path, [_turn(number) for number in range(12)]) as api:
        items = _talk(api, 12, context_tokens=11_000)
        bodies, sizes = api.bodies, [_prompt_tokens(request) for request in api.requests]
    lengths = [len(body["messages"]) for body in bodies]
    folds = [place for place in range(1, 12) if lengths[place] < lengths[place - 1]]
    assert folds, "nothing was folded"
    assert max(sizes) < 11_000 * 1.15, sizes
    case = "\n".join(texts_of(bodies[folds[0]]["messages"][2]))
    assert "hypothesis H1, open: The pool is too small" in case
    assert 'E0 · search_logs {"pattern": "word0"} · success: E0 found lines' in case
    assert "line of turn 0" not in case, "the ledger says what was asked and found, not the lines"
    moves = [item.move for item in items if isinstance(item, Planned)]
    assert [move.sent["folded"] for move in moves] == sorted(move.sent["folded"] for move in moves)


def test_between_two_folds_every_turn_begins_with_the_bytes_of_the_one_before(tmp_path: Path) -> None:
    with messages_api(tmp_path, [_turn(number) for number in range(12)]) as api:
        _talk(api, 12, context_tokens=11_000)
        bodies = [_bare(body["messages"]) for body in api.bodies]
    for earlier, later in pairwise(bodies):
        if len(later) > len(earlier):
            assert later[: len(earlier)] == earlier


def test_after_a_restart_the_same_bytes_are_sent(tmp_path: Path) -> None:
    with messages_api(tmp_path, [_turn(number) for number in range(9)] + [_turn(9)] * 2) as api:
        items = _talk(api, 9, context_tokens=6_000)
        planner = a_planner(api, context_tokens=6_000)
        ask(planner, *items)
        ask(a_planner(api, context_tokens=6_000), *json_round_trip(items))
        first, second = api.bodies[-2:]
    assert first["messages"][2]["content"][0]["content"][1:], "there is a record in it"
    assert json.dumps(first) == json.dumps(second)


def json_round_trip(items: Sequence[Item]) -> list[Item]:
    """The moves as a database gives them back: equal, not the same."""
    return [
        Planned(item.seq, Move(**{**_fields(item.move), "reply": json.loads(json.dumps(item.move.reply))}), item.at)
        if isinstance(item, Planned)
        else item
        for item in items
    ]


def _fields(move: Move) -> dict[str, Any]:
    return {name: getattr(move, name) for name in Move.__dataclass_fields__}


def test_a_lapsed_cache_is_a_good_moment(tmp_path: Path) -> None:
    with messages_api(tmp_path, [_turn(number) for number in range(8)]) as api:
        planner, items = a_planner(api, context_tokens=15_000), []
        for number in range(6):
            _go_on(planner, items, number)
        long_ago = datetime.now(UTC) - timedelta(minutes=20)
        _go_on(planner, items, 6, at=long_ago)
        _go_on(planner, items, 7)
        lengths = [len(body["messages"]) for body in api.bodies]
    assert lengths[:7] == [3, 5, 7, 9, 11, 13, 15], "nothing is folded while the cache is warm"
    assert lengths[7] == 7, "the last two turns stay as they were"


def test_a_prompt_that_is_refused_is_shortened_once(tmp_path: Path) -> None:
    too_long = {"fault": "status", "status": 400, "type": "invalid_request_error", "message": "prompt is too long"}
    with messages_api(tmp_path, [*[_turn(number) for number in range(5)], too_long, _turn(5)]) as api:
        items = _talk(api, 5, context_tokens=60_000)
        move = ask(a_planner(api), *items)
        lengths = [len(body["messages"]) for body in api.bodies[-2:]]
    assert lengths == [13, 7] and move.sent["folded"] == 3


@pytest.mark.parametrize(
    ("turn", "fault"),
    [
        ({"fault": "status", "status": 413, "type": "request_too_large"}, Misconfigured),
        ({"content": [], "stop_reason": "model_context_window_exceeded"}, Unusable),
    ],
)
def test_a_prompt_that_is_refused_twice_is_a_fault(tmp_path: Path, turn: dict[str, Any], fault: type) -> None:
    with messages_api(tmp_path, [*[_turn(number) for number in range(4)], turn, turn]) as api:
        items = _talk(api, 4, context_tokens=60_000)
        with pytest.raises(fault):
            ask(a_planner(api), *items)
        assert len(api.requests) == 6


def test_the_record_keeps_what_did_not_hold_and_cuts_the_oldest_calls_first() -> None:
    guess = Hypothesis("H2", "a slow disk", "refuted", why="its latency is flat")
    items: list[Item] = [
        planned(Move(rationale="?", requests=(), hypotheses=(guess,), answer="the pool")),
        *[returned(f"r{number}", f"E{number}", summary="y" * 190) for number in range(200)],
        SentBack((("C3", "E1 does not contain these words"),)),
    ]
    record = record_of(items)
    assert "best guess: the pool" in record and "hypothesis H2, refuted: a slow disk; its latency is flat" in record
    assert "did not hold: C3: E1 does not contain these words" in record
    assert "earlier calls are left out.)" in record and "E199 ·" in record and "\nE1 ·" not in record
    assert len(record) < 26_000


def test_an_operators_words_outlive_the_folding(tmp_path: Path) -> None:
    with messages_api(tmp_path, [_turn(number) for number in range(5)]) as api:
        planner, items = a_planner(api, context_tokens=60_000), []
        for number in range(4):
            _go_on(planner, items, number)
            if number == 0:
                items.append(Noted("alice", "It began with the deploy."))
        ask(a_planner(api, context_tokens=2_000), *items)
        opening = api.bodies[-1]["messages"][2]
    assert "It began with the deploy." in texts_of(opening)[-1]
    assert opening["content"][-1]["type"] == "text", "a person's words stand outside of the marks"

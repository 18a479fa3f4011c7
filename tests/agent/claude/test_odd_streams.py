"""Streams and messages that no documentation describes: each gives a move, or a fault with a name; none is our own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.claude.faults import retry_after_s
from agent.errors import PlannerFault, Temporary, Unusable
from tests.agent.claude.cases import a_call, a_planner, ask
from tests.standins.raw_http import JSON, raw_http, sse

Event = dict[str, Any]
USAGE = {"input_tokens": 900, "output_tokens": 1}
MODEL = "claude-sonnet-5-5"


def start(**message: Any) -> Event:
    known = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": [],
             "stop_reason": None, "stop_sequence": None, "usage": USAGE}  # fmt: skip
    return {"type": "message_start", "message": known | message}


def block(index: int = 0, **content: Any) -> Event:
    known = {"type": "tool_use", "id": "toolu_1", "name": "search_logs", "input": {}}
    return {"type": "content_block_start", "index": index, "content_block": content or known}


def piece(text: Any, index: int = 0) -> Event:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": text}}


STOP = {"type": "content_block_stop", "index": 0}
CALLS: Event = {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None},
                "usage": {"output_tokens": 20}}  # fmt: skip
END = {"type": "message_stop"}
ARGUMENTS = '{"pattern": "Verbindung verweigert – «späť»"}'
GOOD = (start(), block(), piece(ARGUMENTS), STOP, CALLS, END)


def but(**changes: Event) -> tuple[Any, ...]:
    """The good stream with some of its events changed, by their names here."""
    names = ("start", "block", "piece", "stop", "calls", "end")
    return tuple(changes.get(name, event) for name, event in zip(names, GOOD, strict=True))


def moved(pieces: list[bytes], kind: bytes | None = None) -> Any:
    with raw_http(pieces, *([kind] if kind else [])) as url:
        return ask(a_planner(url, stream=kind is None))


def test_an_event_may_come_in_single_bytes_and_between_comments() -> None:
    text = sse(*GOOD).replace(b"\n\n", b"\n\n: keep-alive\n\n:\n\n")
    where = text.index("ä".encode())
    cut = [text[:where], *(bytes([byte]) for byte in text[where : where + 60]), text[where + 60 :]]
    move = moved([b": hello\n\nretry: 10\n\n", *cut])
    assert move.requests[0].args == json.loads(ARGUMENTS)
    assert move.usage.input_tokens == 900 and move.usage.output_tokens == 20


def test_lines_may_end_as_on_another_system_and_data_in_two_lines() -> None:
    text = sse(*GOOD).replace(b"\n", b"\r\n").replace(b', "index"', b',\r\ndata:  "index"')
    assert moved([text]).requests[0].tool == "search_logs"


def test_an_event_of_tomorrow_is_passed_over() -> None:
    tomorrow = {"type": "mood_ring", "colour": "blue"}
    assert moved([sse(GOOD[0], tomorrow, *GOOD[1:4], tomorrow, *GOOD[4:])]).requests[0].tool == "search_logs"


@pytest.mark.parametrize(
    "usage",
    [None, {}, [], "many", {"input_tokens": -5, "output_tokens": -9}, {"input_tokens": 10**30, "output_tokens": 1},
     {"input_tokens": "900", "output_tokens": 1.5}, {"input_tokens": True, "output_tokens": None},
     {"input_tokens": 900, "output_tokens": 20, "cache_read_input_tokens": -1},
     {"input_tokens": 900, "output_tokens": 20, "cache_read_input_tokens": {"a": 1}}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("is_stream", [True, False], ids=["stream", "whole"])
def test_a_count_that_is_none_is_no_count_and_its_cost_is_unknown(usage: Any, is_stream: bool) -> None:
    if is_stream:
        move = moved([sse(*but(start=start(usage=usage), calls=CALLS | {"usage": usage}))])
    else:
        message = start(usage=usage)["message"] | {"content": [a_call()], "stop_reason": "tool_use"}
        move = moved([json.dumps(message).encode()], JSON)
    used = move.usage
    assert used.cost_micro_usd is None
    counts = (used.input_tokens, used.output_tokens, used.cache_read_tokens, used.cache_write_tokens)
    assert all(type(count) is int and 0 <= count <= 900 for count in counts)


def test_usage_that_is_not_told_at_all_is_unknown() -> None:
    silent = start()
    del silent["message"]["usage"]
    ending = {name: value for name, value in CALLS.items() if name != "usage"}
    assert moved([sse(*but(start=silent, calls=ending))]).usage.cost_micro_usd is None


@pytest.mark.parametrize(
    "events",
    [
        pytest.param(("[1, 2]",), id="a list for an event"),
        pytest.param(("null",), id="null for an event"),
        pytest.param(('"hello"',), id="text for an event"),
        pytest.param(({"type": "message_start"},), id="a start without a message"),
        pytest.param(({"type": "message_start", "message": None},), id="a start with null"),
        pytest.param(({"type": "message_start", "message": [1]},), id="a start with a list"),
        pytest.param((start(), {"type": "content_block_start", "index": 0}), id="a block without content"),
        pytest.param((start(), {"type": "content_block_start", "content_block": {"type": "text"}}), id="no index"),
        pytest.param(
            (start(), {"type": "content_block_start", "index": 0, "content_block": 7}), id="a number of block"
        ),
        pytest.param((start(), block(), piece(None)), id="null for a piece"),
        pytest.param((start(), block(), piece({"a": 1})), id="an object for a piece"),
        pytest.param((start(), block(), {"type": "content_block_delta", "index": 0}), id="a delta without its delta"),
        pytest.param((start(), block(), piece("{}", 5)), id="a piece of a block that never began"),
        pytest.param(but(calls={"type": "message_delta", "delta": None, "usage": None}), id="a delta of null"),
        pytest.param(but(block=block(type="text", text=None)), id="text that is null"),
        pytest.param((start(), block(type="text", text=7), STOP, CALLS, END), id="text that is a number"),
        pytest.param((END, *GOOD[:3]), id="the end before the start, and none after it"),
        pytest.param((), id="nothing"),
        pytest.param(("{",), id="half of an event"),
    ],
)
def test_what_cannot_be_read_is_a_fault_of_the_model_and_not_ours(events: tuple[Any, ...]) -> None:
    with pytest.raises((Unusable, Temporary)) as caught:
        moved([sse(*events)])
    assert "object has no" not in str(caught.value) and "concatenate" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    ["[]", "null", "7", '"hello"', "{}", '{"content": null}', '{"content": [7]}', '{"content": [{"type": 7}]}',
     '{"content": [{"type": "text", "text": 7}], "stop_reason": "tool_use"}',
     '{"content": [{"type": "text"}], "stop_reason": "end_turn"}',
     '{"content": [{"type": "thinking", "thinking": null}], "stop_reason": "tool_use"}',
     '{"content": [{"type": "tool_use", "id": "t", "name": null, "input": {}}], "usage": 7}'],
)  # fmt: skip
def test_a_whole_message_that_is_none_is_a_fault_of_the_model(body: str) -> None:
    with pytest.raises(PlannerFault) as caught:
        moved([body.encode()], JSON)
    assert isinstance(caught.value, Unusable | Temporary)
    assert "object has no" not in str(caught.value)


def test_the_model_that_answered_is_named_and_paid_for() -> None:
    other = moved([sse(*but(start=start(model="claude-haiku-5-5")))])
    unknown = moved([sse(*but(start=start(model="my-own-7b")))])
    assert other.usage.model == "claude-haiku-5-5" and other.usage.cost_micro_usd is not None
    assert unknown.usage.model == "my-own-7b" and unknown.usage.cost_micro_usd is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "1e9"}, 1e9), ({"retry-after": "-3"}, None), ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None), ({"retry-after": "soon"}, None), ({"retry-after": ""}, None),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 20155 07:28:00 GMT"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 +999999999999"}, None),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_a_date_or_nothing(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after_s(headers) == expected

"""Each bad day of the API, played by the stand-in over a real socket, and the class of error it becomes."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest

from agent.errors import Misconfigured, PlannerFault, Temporary, Unusable
from tests.agent.claude.cases import a_call, a_planner, a_turn, ask
from tests.standins.messages_api import messages_api


def _status(status: int, kind: str = "api_error", **headers: str) -> dict[str, Any]:
    return {"fault": "status", "status": status, "type": kind, "headers": headers}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("turn", "expected"),
    [
        (_status(400, "invalid_request_error"), Misconfigured),
        (_status(401, "authentication_error"), Misconfigured),
        (_status(402, "billing_error"), Misconfigured),
        (_status(403, "permission_error"), Misconfigured),
        (_status(404, "not_found_error"), Misconfigured),
        (_status(413, "request_too_large"), Misconfigured),
        (_status(408), Temporary),
        (_status(409), Temporary),
        (_status(429, "rate_limit_error"), Temporary),
        (_status(500), Temporary),
        (_status(502), Temporary),
        (_status(504, "timeout_error"), Temporary),
        (_status(529, "overloaded_error"), Temporary),
        ({"fault": "redirect", "location": "http://127.0.0.1:9/"}, Misconfigured),
        ({"fault": "html"}, Unusable),
        ({"fault": "other_shape"}, Unusable),
        ({"fault": "cut"}, Temporary),
        ({"fault": "stall", "seconds": 3}, Temporary),
    ],
)
def test_a_fault_becomes_its_class(tmp_path: Path, turn: dict[str, Any], expected: type, stream: bool) -> None:
    with messages_api(tmp_path, [turn]) as api, pytest.raises(PlannerFault) as caught:
        ask(a_planner(api, stream=stream, stall_s=0.5))
    assert isinstance(caught.value, expected)
    assert "key-1" not in str(caught.value)


@pytest.mark.parametrize(
    ("turn", "expected"),
    [
        ({"fault": "error_event", "type": "overloaded_error"}, Temporary),
        ({"fault": "error_event", "type": "invalid_request_error"}, Misconfigured),
        ({"fault": "end_early"}, Temporary),
        (a_turn(a_call(), stop_reason=None), Temporary),
    ],
)
def test_a_stream_that_fails_in_the_middle_is_never_acted_on(
    tmp_path: Path, turn: dict[str, Any], expected: type
) -> None:
    with messages_api(tmp_path, [turn]) as api, pytest.raises(expected):
        ask(a_planner(api))


def test_half_of_a_json_answer_is_temporary(tmp_path: Path) -> None:
    with messages_api(tmp_path, [{"fault": "truncated"}]) as api, pytest.raises(Temporary, match="not complete"):
        ask(a_planner(api, stream=False))


def test_a_stream_that_drips_for_ever_ends_at_the_total_deadline(tmp_path: Path) -> None:
    started = time.monotonic()
    with messages_api(tmp_path, [{"fault": "drip", "seconds": 30}]) as api, pytest.raises(Temporary, match="in time"):
        ask(a_planner(api, timeout_s=0.5))
    assert time.monotonic() - started < 20


def test_the_second_try_shares_the_deadline_of_the_first(tmp_path: Path) -> None:
    talk = a_turn({"type": "text", "text": "hm"}, stop_reason="end_turn")
    with messages_api(tmp_path, [talk, {"fault": "stall", "seconds": 30}]) as api, pytest.raises(Temporary):
        started = time.monotonic()
        ask(a_planner(api, timeout_s=1, stall_s=60))
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "86400"}, 86_400.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "Mon, 01 Jan 2001 00:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_handed_on_and_nothing_is_retried_here(
    tmp_path: Path, headers: dict[str, str], seconds: float | None
) -> None:
    with messages_api(tmp_path, [_status(429, "rate_limit_error", **headers), a_turn()]) as api:
        with pytest.raises(Temporary) as caught:
            ask(a_planner(api))
        assert caught.value.retry_after_s == seconds
        assert len(api.requests) == 1


def test_an_overloaded_model_hands_over_to_the_next_one(tmp_path: Path) -> None:
    with messages_api(tmp_path, [_status(529, "overloaded_error"), a_turn()]) as api:
        move = ask(a_planner(api, fallback_models=("claude-haiku-5-5",)))
        assert [body["model"] for body in api.bodies] == ["claude-sonnet-5-5", "claude-haiku-5-5"]
    assert move.usage.model == "claude-haiku-5-5" == move.sent["model"]


def test_a_rate_limit_is_the_accounts_and_no_other_model_is_asked(tmp_path: Path) -> None:
    with messages_api(tmp_path, [_status(429, "rate_limit_error"), a_turn()]) as api:
        with pytest.raises(Temporary):
            ask(a_planner(api, fallback_models=("claude-haiku-5-5",)))
        assert len(api.requests) == 1


def test_nobody_listening_is_temporary() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(Temporary):
            ask(a_planner(url))


@pytest.mark.parametrize("base_url", ["not a url", "ftp://127.0.0.1/", "http://[::1/"])
def test_an_address_that_cannot_be_asked_is_a_matter_of_configuration(base_url: str) -> None:
    with pytest.raises(Misconfigured):
        ask(a_planner(base_url))


@pytest.mark.parametrize("key", ["", "two\nlines"])
def test_a_key_that_cannot_be_sent_is_a_matter_of_configuration(tmp_path: Path, key: str) -> None:
    with messages_api(tmp_path, []) as api, pytest.raises(Misconfigured, match="key"):
        ask(a_planner(api, api_key=key))


def test_json_nested_too_deep_is_asked_again_and_then_a_fault(tmp_path: Path) -> None:
    deep = a_turn(a_call() | {"raw": '{"a":' * 20_000})
    with messages_api(tmp_path, [deep, deep]) as api, pytest.raises(Unusable):
        ask(a_planner(api))


def test_an_answer_of_half_a_million_characters_is_a_fault(tmp_path: Path) -> None:
    long = a_turn({"type": "text", "text": "x" * 500_000}, a_call())
    with messages_api(tmp_path, [long]) as api, pytest.raises(Unusable, match="longer than"):
        ask(a_planner(api, stream=False))

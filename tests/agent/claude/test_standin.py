"""The stand-in itself: what it refuses, how it counts, and that its own investigation reaches a report."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.planner import Item, SentBack
from tests.agent.claude.cases import AS_OF, a_planner, a_turn, ask, log_data, planned, returned
from tests.standins.messages_api import ROOT, MessagesApi, messages_api
from tools.generate_report import Report

HEADERS = {"authorization": "Bearer k", "anthropic-version": "2026-10-21", "content-type": "application/json"}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MessagesApi]:
    with messages_api(tmp_path_factory.mktemp("standin")) as running:
        yield running


def a_body(**changes: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}]} | changes


def post(api: MessagesApi, body: Any, headers: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{api.url}/v1/messages", data, HEADERS if headers is None else headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_well_formed_request_is_answered(api: MessagesApi) -> None:
    status, message = post(api, a_body())
    assert status == 200 and message["role"] == "assistant" and message["usage"]["input_tokens"] > 0


USE = {"type": "tool_use", "id": "t1", "name": "x", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "fine"}
TOOL = {"name": "x", "description": "x", "input_schema": {"type": "object"}}
MARKED = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
STRICT = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


def _talk(*contents: Any) -> dict[str, Any]:
    roles = ["user", "assistant"] * len(contents)
    messages = [{"role": role, "content": content} for role, content in zip(roles, contents, strict=False)]
    return a_body(tools=[TOOL], messages=messages)


def _strict(**changes: Any) -> dict[str, Any]:
    return a_body(tools=[TOOL | {"strict": True, "input_schema": STRICT | changes}])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "not valid JSON"),
        (a_body(temperature=1), "temperature: extra inputs"),
        (a_body(model=""), "model"),
        (a_body(max_tokens=0), "max_tokens"),
        (a_body(max_tokens="10"), "max_tokens"),
        (a_body(messages=[]), "at least one message"),
        (a_body(messages=[{"role": "assistant", "content": "hi"}]), "first message"),
        (_talk("hi", "prefill"), "prefill"),
        (a_body(messages=[{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]), "alternate"),
        (_talk(""), "non-empty"),
        (_talk([]), "must not be empty"),
        (_talk("hi", [USE], "and?"), "without `tool_result`"),
        (_talk("hi", [USE], [{"type": "text", "text": "so"}, RESULT]), "must come first"),
        (_talk("hi", [USE], [RESULT, RESULT]), "single result"),
        (_talk("hi", "hm", [RESULT]), "unexpected `tool_use_id`"),
        (_talk("hi", [USE, USE], [RESULT]), "must be unique"),
        (_talk("hi", [USE | {"input": "x"}], [RESULT]), "valid dictionary"),
        (_talk([USE]), "not allowed here"),
        (_talk("hi", [USE | {"secret": 1}], [RESULT]), "extra inputs"),
        (_talk("hi", [USE], [RESULT]) | {"tools": []}, "without tools"),
        (_talk([MARKED] * 5), "maximum of 4"),
        (a_body(tools=[TOOL, TOOL]), "unique"),
        (a_body(tools=[TOOL | {"name": "no spaces"}]), "bad name"),
        (a_body(tools=[TOOL | {"input_schema": {"type": "string"}}]), "must be object"),
        (a_body(tools=[TOOL], tool_choice={"type": "any"}), "forced tool use"),
        (a_body(thinking={"type": "disabled"}), "thinking"),
        (_strict(additionalProperties=True), "additionalProperties"),
        (_strict(properties={"n": {"type": "integer", "minimum": 1}}), "minimum"),
        (_strict(properties={f"n{n}": {"type": "string"} for n in range(30)}, required=[]), "optional"),
    ],
)
def test_a_malformed_request_is_refused_in_the_apis_shape(api: MessagesApi, body: Any, words: str) -> None:
    status, answer = post(api, body)
    assert status == 400 and answer["type"] == "error" and answer["error"]["type"] == "invalid_request_error"
    assert words in answer["error"]["message"]


@pytest.mark.parametrize(("missing", "status"), [("authorization", 401), ("anthropic-version", 400)])
def test_a_request_without_its_headers_is_refused(api: MessagesApi, missing: str, status: int) -> None:
    assert post(api, a_body(), {name: value for name, value in HEADERS.items() if name != missing})[0] == status


def test_an_x_api_key_will_do(api: MessagesApi) -> None:
    headers = {name: value for name, value in HEADERS.items() if name != "authorization"} | {"x-api-key": "k"}
    assert post(api, a_body(), headers)[0] == 200


def test_the_cache_reads_what_was_written_and_one_changed_byte_misses(api: MessagesApi) -> None:
    long = [{"type": "text", "text": "word " * 1_000, "cache_control": {"type": "ephemeral"}}]
    usages = [post(api, a_body(system=long, model="cached"))[1]["usage"] for _ in range(2)]
    changed = post(api, a_body(system=[long[0] | {"text": "Word " * 1_000}], model="cached"))[1]["usage"]
    other_model = post(api, a_body(system=long, model="other"))[1]["usage"]
    assert usages[0]["cache_creation_input_tokens"] == usages[1]["cache_read_input_tokens"] > 1_000
    assert usages[0]["cache_read_input_tokens"] == usages[1]["cache_creation_input_tokens"] == 0
    assert changed["cache_read_input_tokens"] == other_model["cache_read_input_tokens"] == 0


def test_no_secret_is_written_to_the_record(tmp_path: Path) -> None:
    with messages_api(tmp_path, [a_turn()]) as running:
        ask(a_planner(running, api_key="key-to-hide"))
        assert "key-to-hide" not in running.record.read_text()


def test_its_own_investigation_ends_in_a_valid_report_and_drops_what_did_not_hold(tmp_path: Path) -> None:
    results = {
        "search_logs": {"data": log_data()},
        "create_ticket": {"tool": "create_ticket", "data": {"key": "k"}, "figures": {}},
    }
    items: list[Item] = []
    asked: list[str] = []
    with messages_api(tmp_path) as running:
        planner = a_planner(running)
        while True:
            move = ask(planner, *items, wants_ticket=True)
            items.append(planned(move))
            if move.is_conclusion:
                break
            for request in move.requests:
                asked.append(request.tool)
                items.append(returned(request.id, f"E{len(asked)}", **results.get(request.tool, {"data": {}})))
        first = Report.model_validate(move.requests[0].args)
        again = ask(planner, *items, SentBack((("C2", "the quote is not there"),)), wants_ticket=True)
    assert "search_logs" in asked and asked[-1] == "create_ticket"
    assert first.root_cause is not None and first.root_cause.entity == "orders"
    assert [claim.quote for claim in first.claims if claim.kind == "quote"] == ["pool exhausted after 30000 ms"]
    assert [claim.value for claim in first.claims if claim.kind == "number"] == [1912]
    assert [claim.id for claim in Report.model_validate(again.requests[0].args).claims] == ["C1"]
    assert AS_OF.isoformat() in running.bodies[0]["messages"][0]["content"][0]["text"]


def test_it_has_rivals_looked_into_side_by_side_where_that_is_offered(tmp_path: Path) -> None:
    change = {"at": "2026-05-04T10:40:00+00:00", "kind": "deploy", "id": "d1", "service": "orders", "title": "2.1"}
    data = {"search_logs": log_data(), "list_changes": {"changes": [change]}}
    with messages_api(tmp_path) as running:
        planner = a_planner(running)
        first = ask(planner)
        results = [
            returned(request.id, f"E{number}", tool=request.tool, data=data.get(request.tool, {}))
            for number, request in enumerate(first.requests, 1)
        ]
        (second,) = ask(planner, planned(first), *results).requests
    assert second.tool == "investigate_hypotheses"
    assert [one["hypothesis"] for one in second.args["questions"]] == ["H1", "H2"]


def test_the_command_serves_it() -> None:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "fake_claude", "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().split()[-1]
        assert post(MessagesApi(url, Path("/dev/null")), a_body())[0] == 200
    finally:
        process.kill()
        process.communicate()

"""Tools from tools.yaml: their arguments reach the command or the request as they are, and nothing else does."""

from __future__ import annotations

import json
import re
import shlex
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tools.base import Risk, Status, Tool, ToolContext, ToolError, ToolResult
from tools.configuration import Configuration
from tools.declared.loading import declared_tools, switched_off
from tools.sources import SourceSet
from tools.tickets.tracker import Unsure

CONTEXT = ToolContext("key-1", datetime(2026, 3, 1, tzinfo=UTC), None, SourceSet([]), lambda name: {})
ECHO = {
    "name": "echo_back", "summary": "Print the arguments one a line.", "risk": "read",
    "params": {"text": {"description": "any text", "max_length": 500}},
    "run": ["printf", "%s|", "--", "{text}", "a={text}"],
}  # fmt: skip


def _tool(**raw: Any) -> Tool:
    (tool,) = declared_tools(Configuration(tools=[raw]))
    return tool


def _run(tool: Tool, **args: Any) -> ToolResult:
    return tool.run(CONTEXT, tool.params.model_validate(args))


# Commands ------------------------------------------------------------------------------------------------------------
INJECTIONS = [
    "; touch /tmp/x", "$(touch /tmp/x)", "`touch /tmp/x`", "| cat /etc/passwd", "&& false", "\n rm -rf", "'", '"', "\\",
    "{text}", "{0}", "%s%s%n", "$HOME", "~", "*", "a b  c", "--help", "-rf", "\u202e", "${IFS}", "<(x)", "> /tmp/x",
    "!!", "#x", "{a,b}", "\t", "é", "日本", "x=$x", "&",
]  # fmt: skip


@pytest.mark.parametrize("text", INJECTIONS)
def test_a_value_reaches_the_command_as_it_is(text: str) -> None:
    stripped = text.strip()  # every tool's parameters are without blanks at their ends
    assert _run(_tool(**ECHO), text=text).data["output"] == f"--|{stripped}|a={stripped}|"


def test_a_value_that_begins_with_a_dash_is_refused_where_it_would_be_an_option() -> None:
    tool = _tool(**{**ECHO, "run": ["cat", "{text}"]})

    with pytest.raises(ToolError, match="begins with '-'"):
        _run(tool, text="--version")


def test_the_command_gets_a_clean_environment_and_no_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPSPILOT_SECRET_KEY", "hush")
    tool = _tool(name="show_env", summary="Print the environment.", risk="read", run=["env"])

    assert sorted(line.split("=")[0] for line in _run(tool).data["output"].split()) == ["LANG", "PATH", "TZ"]


def test_output_is_cut_and_the_command_ended() -> None:
    tool = _tool(name="say_yes", summary="Print for ever.", risk="read", run=["yes"], output_limit=1_000)
    result = _run(tool)

    assert (len(result.data["output"]), result.status) == (1_000, Status.TRUNCATED)
    assert "Output cut after 1,000 bytes" in result.summary


def test_a_command_that_hangs_is_ended_with_what_it_started() -> None:
    tool = _tool(
        name="hang_on", summary="Wait in a child.", risk="read", timeout_s=0.3,
        run=[sys.executable, "-c", "import subprocess; subprocess.run(['sleep', '60'])"],
    )  # fmt: skip
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=r"ran longer than 0\.3 s"):
        _run(tool)
    assert time.monotonic() - began < 5


def test_a_failing_command_is_an_error_with_its_words() -> None:
    result = _run(_tool(name="list_it", summary="List what is not there.", risk="read", run=["ls", "/nowhere"]))

    assert result.status == Status.ERROR
    assert "No such file" in result.summary


def test_a_command_that_is_not_installed_switches_its_tool_off_with_the_reason() -> None:
    raw = {**ECHO, "run": ["no-such-command", "{text}"], "needs": {"files": ["/nowhere/kubeconfig"]}}

    assert declared_tools(Configuration(tools=[raw])) == []
    assert switched_off(Configuration(tools=[raw])) == {
        "echo_back": "the command no-such-command is not installed; the file /nowhere/kubeconfig is not there"
    }


def test_an_approver_reads_the_very_words() -> None:
    tool = _tool(**{**ECHO, "risk": "destructive"})
    assert tool.preview is not None
    preview = tool.preview(tool.params.model_validate({"text": "a; rm -rf /"}))

    assert shlex.split(preview.body) == ["printf", "%s|", "--", "a; rm -rf /", "a=a; rm -rf /"]
    assert tool.risk == Risk.DESTRUCTIVE


# Parameters ----------------------------------------------------------------------------------------------------------
def test_parameters_have_types_limits_and_defaults() -> None:
    tool = _tool(
        name="typed", summary="Takes every type of value.", risk="read",
        params={
            "count": {"type": "integer", "min": 1, "max": 5, "default": 2}, "share": {"type": "number", "max": 1},
            "loud": {"type": "boolean", "default": False}, "mode": {"choices": ["soft", "hard"]},
            "name": {"pattern": "^[a-z]+$", "max_length": 8},
        },
        run=["printf", "%s|", "{count}", "{share}", "{loud}", "{mode}", "{name}"],
    )  # fmt: skip
    good = {"share": 0.5, "mode": "soft", "name": "orders"}

    assert _run(tool, **good).data["output"] == "2|0.5|false|soft|orders|"
    for wrong in ({"count": 6}, {"share": 2}, {"mode": "odd"}, {"name": "a b"}, {"name": "a" * 9}, {"other": 1}):
        with pytest.raises(ValueError):
            tool.params.model_validate({**good, **wrong})
    assert tool.params.model_json_schema()["required"] == ["share", "mode", "name"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"risk": "harmless"}, "risk"),
        ({"run": "echo {text}"}, "run"),
        ({"run": ["{text}"]}, "begins with a fixed command"),
        ({"run": ["echo"]}, "nothing uses the parameter text"),
        ({"run": ["echo", "{other}", "{text}"]}, "no parameter is called other"),
        ({"request": {"url": "https://x.example.org/{text}"}}, "either run"),
        ({"run": None, "request": {"url": "https://{text}.example.org/"}}, "placeholders stand behind the host only"),
        ({"run": None, "request": {"url": "https://x.example.org/../{text}"}}, "no . or .."),
        ({"run": None, "request": {"url": "file:///{text}"}}, "request.url"),
        ({"name": "Echo Back"}, "name"),
        ({"shell": True}, "shell"),
        ({"settle": "by_key"}, "by_key is for a request"),
    ],
)
def test_a_wrong_declaration_names_what_is_wrong(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ToolError, match=words):
        _tool(**{**ECHO, **change})


# Requests ------------------------------------------------------------------------------------------------------------
def _restart(server: HTTPServer, **more: Any) -> dict[str, Any]:
    url = server.url_for("/services/{service}/restart")
    request = {"method": "POST", "url": url, "body": {"reason": "{reason}", "grace_s": "{grace}"}, "private": True}
    return {
        "name": "restart_it", "summary": "Restart one service.", "risk": "destructive", "settle": "by_key",
        "params": {"service": {}, "reason": {}, "grace": {"type": "integer", "default": 5}},
        "request": {**request, **more},
    }  # fmt: skip


def test_a_request_is_sent_with_its_values_in_their_places(httpserver: HTTPServer) -> None:
    httpserver.expect_request(
        "/services/orders/restart", method="POST", json={"reason": 'say "hi"', "grace_s": 5},
        headers={"Idempotency-Key": "key-1"},
    ).respond_with_json({"ok": True})  # fmt: skip

    result = _run(_tool(**_restart(httpserver)), service="orders", reason='say "hi"')

    assert (result.status, result.data["body"]) == (Status.SUCCESS, {"ok": True})


@pytest.mark.parametrize("service", ["../admin", "a/b", "a?x=1", "a#b", "a%2fb", "a b", "..%2f"])
def test_a_value_stays_within_its_part_of_the_path(httpserver: HTTPServer, service: str) -> None:
    seen: list[str] = []

    def answer(request: Request) -> Response:
        seen.append(request.environ["RAW_URI"])
        return Response("{}")

    httpserver.expect_request(re.compile(".*"), method="POST").respond_with_handler(answer)
    _run(_tool(**_restart(httpserver)), service=service, reason="x")

    (path,) = seen
    assert path.startswith("/services/") and path.endswith("/restart")
    assert path.count("/") == 3
    assert "?" not in path and "#" not in path and " " not in path


def test_dots_alone_are_refused(httpserver: HTTPServer) -> None:
    with pytest.raises(ToolError, match="must not be"):
        _run(_tool(**_restart(httpserver)), service="..", reason="x")


def test_an_inner_address_is_asked_only_where_it_is_said_to_be_one(httpserver: HTTPServer) -> None:
    with pytest.raises(ToolError, match="inside the network"):
        _run(_tool(**_restart(httpserver, private=False)), service="orders", reason="x")
    assert httpserver.log == []


def test_a_write_whose_answer_is_lost_is_unsure(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/services/orders/restart").respond_with_json({}, status=502)

    with pytest.raises(Unsure):
        _run(_tool(**_restart(httpserver)), service="orders", reason="x")


def test_an_approver_reads_the_request_as_it_will_be_sent(httpserver: HTTPServer) -> None:
    tool = _tool(**_restart(httpserver))
    assert tool.preview is not None
    preview = tool.preview(tool.params.model_validate({"service": "a/b", "reason": "x"}))

    assert preview.destination == f"localhost:{httpserver.port}"
    first, _, rest = preview.body.partition("\n")
    assert first.endswith("/services/a%2Fb/restart")
    assert json.loads(rest) == {"reason": "x", "grace_s": 5}


def test_two_tools_of_one_name_are_refused(tmp_path: Path) -> None:
    names = [tool.name for tool in declared_tools(Configuration(tools=[ECHO, {**ECHO, "name": "other_one"}]))]
    assert names == ["echo_back", "other_one"]

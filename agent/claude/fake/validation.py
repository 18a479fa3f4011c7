"""What the stand-in refuses, in the words and shapes of the API. It knows the requests a planner sends, no others."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from typing import Any

from agent.claude.fake.accounting import as_blocks

FIELDS = {"model", "max_tokens", "messages", "system", "tools", "tool_choice", "stream", "thinking", "output_config"}
BLOCK_FIELDS = {
    "text": {"text"},
    "tool_use": {"id", "name", "input"},
    "tool_result": {"tool_use_id", "content", "is_error"},
    "thinking": {"thinking", "signature"},
    "redacted_thinking": {"data"},
}
ALLOWED_BLOCKS = {"user": {"text", "tool_result"}, "assistant": {"text", "tool_use", "thinking", "redacted_thinking"}}
TOOL_FIELDS = {"name", "description", "input_schema", "strict", "cache_control"}
TOOL_NAME = re.compile(r"^[a-zA-Z0-9_-]{1,128}$")
NOT_IN_STRICT = {"minimum", "maximum", "multipleOf", "minLength", "maxLength", "maxItems", "uniqueItems"}
MAX_BREAKPOINTS, MAX_STRICT_TOOLS, MAX_STRICT_OPTIONAL = 4, 20, 24


class Refused(Exception):
    """An answer in the API's error shape."""

    def __init__(self, message: str, status: int = 400, kind: str = "invalid_request_error"):
        super().__init__(message)
        self.status = status
        self.kind = kind


def check_headers(headers: Mapping[str, str]) -> None:
    bearer = headers.get("authorization", "").removeprefix("Bearer ").strip()
    if not bearer and not headers.get("x-api-key", "").strip():
        raise Refused("x-api-key or Authorization header is required", 401, "authentication_error")
    _need("anthropic-version" in headers, "anthropic-version: header is required")
    _need(headers.get("content-type", "").startswith("application/json"), "content-type: must be application/json")


def check_body(body: Any) -> None:
    _need(isinstance(body, dict), "the body must be a JSON object")
    _need(not (unknown := set(body) - FIELDS), f"{', '.join(sorted(unknown))}: extra inputs are not permitted")
    _need(isinstance(body.get("model"), str) and bool(body["model"]), "model: field required")
    max_tokens = body.get("max_tokens")
    _need(type(max_tokens) is int and max_tokens >= 1, "max_tokens: must be an integer of at least 1")
    _need(isinstance(body.get("stream", False), bool), "stream: must be a boolean")
    choice = body.get("tool_choice", {"type": "auto"})
    _need(choice.get("type") in ("auto", "none"), "tool_choice: forced tool use is not supported on this model")
    thinking = body.get("thinking", {"type": "adaptive"})
    _need(thinking.get("type") in ("adaptive", "between_tools"), "thinking.type: use adaptive or between_tools")
    _check_tools(body.get("tools", []))
    for index, block in enumerate(_blocks(body.get("system", "system"), "system")):
        _check_block(block, {"text"}, f"system.{index}")
    _check_messages(body.get("messages"), has_tools=bool(body.get("tools")))
    _need(len(list(breakpoints(body))) <= MAX_BREAKPOINTS, "a maximum of 4 blocks with cache_control may be provided")


def check_features(body: dict[str, Any], lacks: Collection[str]) -> None:
    """Refuses what this address is said to lack."""
    uses = {
        "strict": any("strict" in tool for tool in body.get("tools", [])),
        "cache": bool(list(breakpoints(body))),
        "stream": body.get("stream", False),
    }
    for feature in lacks:
        _need(not uses[feature], f"{feature}: not supported here")


def breakpoints(value: Any) -> Iterator[Any]:
    """Every cache_control of a request."""
    if isinstance(value, dict):
        if "cache_control" in value:
            _need(value["cache_control"].get("type") == "ephemeral", "cache_control.type: must be ephemeral")
            yield value["cache_control"]
        for name, item in value.items():
            if name not in ("input", "input_schema"):
                yield from breakpoints(item)
    elif isinstance(value, list):
        for item in value:
            yield from breakpoints(item)


def _check_tools(tools: Any) -> None:
    _need(isinstance(tools, list), "tools: must be a list")
    names = [tool.get("name") for tool in tools]
    _need(len(set(names)) == len(names), "tools: tool names must be unique")
    for index, tool in enumerate(tools):
        where = f"tools.{index}"
        _need(not (unknown := set(tool) - TOOL_FIELDS), f"{where}.{', '.join(unknown)}: extra inputs are not permitted")
        _need(isinstance(tool.get("name"), str) and bool(TOOL_NAME.match(tool["name"])), f"{where}.name: bad name")
        _need(isinstance(tool.get("description"), str), f"{where}.description: must be a string")
        schema = tool.get("input_schema")
        _need(isinstance(schema, dict) and schema.get("type") == "object", f"{where}.input_schema.type: must be object")
    strict = [tool["input_schema"] for tool in tools if tool.get("strict")]
    _need(len(strict) <= MAX_STRICT_TOOLS, "tools: too many strict tools")
    optional = sum(_check_strict(schema) for schema in strict)
    _need(optional <= MAX_STRICT_OPTIONAL, "tools: too many optional parameters in strict schemas")


def _check_strict(schema: Any) -> int:
    """Counts the optional parameters of a strict schema and refuses what its grammar cannot hold."""
    if isinstance(schema, list):
        return sum(_check_strict(item) for item in schema)
    if not isinstance(schema, dict):
        return 0
    _need(not (bad := NOT_IN_STRICT & set(schema)), f"input_schema: {', '.join(bad)} is not supported in strict mode")
    if schema.get("type") != "object":
        return sum(_check_strict(schema.get(name, [])) for name in ("items", "anyOf", "allOf"))
    _need(
        schema.get("additionalProperties") is False, "input_schema: additionalProperties must be false in strict mode"
    )
    properties = schema.get("properties", {})
    optional = len(set(properties) - set(schema.get("required", [])))
    return optional + sum(_check_strict(item) for item in properties.values())


def _check_messages(messages: Any, has_tools: bool) -> None:
    _need(isinstance(messages, list) and bool(messages), "messages: at least one message is required")
    _need(all(isinstance(message, dict) for message in messages), "messages: must hold objects")
    roles = [message.get("role") for message in messages]
    _need(roles[0] == "user", "messages: first message must use the user role")
    _need(roles[-1] == "user", "messages: this model does not support assistant message prefill")
    _need(all(one != two for one, two in pairwise(roles)), "messages: roles must alternate")
    calls: list[str] = []
    for index, message in enumerate(messages):
        where = f"messages.{index}"
        _need(set(message) == {"role", "content"}, f"{where}: must hold role and content only")
        _need(message["role"] in ALLOWED_BLOCKS, f"{where}.role: must be user or assistant")
        blocks = _blocks(message["content"], where)
        for number, block in enumerate(blocks):
            _check_block(block, ALLOWED_BLOCKS[message["role"]], f"{where}.content.{number}")
        _check_pairing(blocks, calls, where)
        calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
        _need(len(set(calls)) == len(calls), f"{where}: `tool_use` ids must be unique")
        _need(has_tools or not calls, f"{where}: tool_use without tools")


def _check_pairing(blocks: list[dict[str, Any]], calls: list[str], where: str) -> None:
    """Each tool_use of the last turn is answered exactly once, before any other block."""
    kinds = [block["type"] for block in blocks]
    answered = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    missing, unknown = set(calls) - set(answered), set(answered) - set(calls)
    _need(not missing, f"{where}: `tool_use` ids were found without `tool_result` blocks: {', '.join(sorted(missing))}")
    _need(not unknown, f"{where}: unexpected `tool_use_id` in `tool_result` blocks: {', '.join(sorted(unknown))}")
    _need(len(answered) == len(set(answered)), f"{where}: each tool_use must have a single result")
    _need("tool_result" not in kinds[len(answered) :], f"{where}: tool_result blocks must come first")


def _blocks(content: Any, where: str) -> list[dict[str, Any]]:
    content = as_blocks(content)
    _need(isinstance(content, list) and bool(content), f"{where}.content: must not be empty")
    _need(all(isinstance(block, dict) for block in content), f"{where}.content: must hold objects")
    return list(content)


def _check_block(block: dict[str, Any], allowed: set[str], where: str) -> None:
    kind = str(block.get("type"))
    _need(kind in allowed, f"{where}: a block of type {kind} is not allowed here")
    unknown = set(block) - BLOCK_FIELDS[kind] - {"type", "cache_control"}
    _need(not unknown, f"{where}.{kind}.{', '.join(sorted(unknown))}: extra inputs are not permitted")
    if kind == "text":
        _need(isinstance(block.get("text"), str) and bool(block["text"].strip()), f"{where}: text must be non-empty")
    if kind == "tool_use":
        _need(isinstance(block.get("input"), dict), f"{where}.tool_use.input: input should be a valid dictionary")
        _need(isinstance(block.get("id"), str) and isinstance(block.get("name"), str), f"{where}: id and name required")
        _need(
            bool(TOOL_NAME.match(block["name"])),
            f"{where}.tool_use.name: string should match pattern {TOOL_NAME.pattern}",
        )
    if kind == "tool_result":
        for number, inner in enumerate(_blocks(block.get("content"), where)):
            _check_block(inner, {"text"}, f"{where}.content.{number}")


def _need(holds: bool, message: str) -> None:
    if not holds:
        raise Refused(message)

"""Tools of MCP servers, with the risk that the operator has set and the definition that the operator has looked at.

A server may change what its tools say of themselves at any time. So their definitions are taken once, by
`./opspilot mcp look`, and kept; a call is refused where the server now says something else. Needs the package `mcp`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any, ClassVar

import anyio
from jsonschema import Draft202012Validator, validators
from pydantic import ConfigDict, model_validator
from referencing import Registry

from tools.base import Params, Preview, Risk, Status, Tool, ToolContext, ToolError, ToolResult
from tools.processes import PATH

CALL_S = 25.0
MAX_TEXT = 200_000
# A pattern of a server's would run in Python's backtracking engine; the server checks it itself.
_Validator = validators.extend(Draft202012Validator, {"pattern": lambda *_: iter(())})


class McpArguments(Params):
    """Arguments of whatever shape the tool's own JSON schema says."""

    model_config = ConfigDict(extra="allow", frozen=True)
    definition: ClassVar[Mapping[str, Any]] = {}

    @model_validator(mode="before")
    @classmethod
    def fits_the_schema(cls, value: Any) -> Any:
        schema = cls.definition["input_schema"]
        errors = sorted(_Validator(schema, registry=Registry()).iter_errors(value), key=lambda error: list(error.path))
        if errors:
            raise ValueError("; ".join(f"{error.json_path}: {error.message}"[:300] for error in errors[:4]))
        return value

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return dict(cls.definition["input_schema"])


def tools_of(servers: Sequence[Mapping[str, Any]]) -> list[Tool]:
    """One tool for each that was looked at and that has a risk; named SERVER_TOOL."""
    return [
        _tool(server, definition, Risk(server["risks"][definition["name"]]))
        for server in servers
        for definition in server.get("looked_at", ())
        if definition["name"] in server["risks"]
    ]


def digest_of(definition: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()


def _tool(server: Mapping[str, Any], definition: Mapping[str, Any], risk: Risk) -> Tool:
    name = f"{server['name']}_{definition['name']}".replace("-", "_").replace(".", "_").lower()[:60]
    params = type("McpParams", (McpArguments,), {"definition": definition, "__module__": __name__})
    return Tool(
        name=name,
        summary=str(definition.get("description") or definition["name"])[:500],
        params=params,
        risk=risk,
        run=partial(_run, server, definition),
        preview=partial(_preview, server, definition),
        timeout_s=CALL_S + 5,
    )


def _preview(server: Mapping[str, Any], definition: Mapping[str, Any], params: Params) -> Preview:
    return Preview(
        sentence=f"Call {definition['name']} of the MCP server {server['name']}.",
        destination=" ".join(server["command"]),
        undo="",
        body=json.dumps(params.model_dump(mode="json"), indent=2, ensure_ascii=False),
    )


def _run(server: Mapping[str, Any], definition: Mapping[str, Any], context: ToolContext, params: Params) -> ToolResult:
    args = params.model_dump(mode="json")
    answer = anyio.run(_call, server, definition, args)
    if answer is None:
        raise ToolError(
            f"{server['name']} says something else of {definition['name']} than when it was looked at; nothing was "
            "called. Look again with ./opspilot mcp look."
        )
    text, structured, is_error = answer
    status = Status.ERROR if is_error else Status.SUCCESS if text.strip() or structured else Status.NO_DATA
    first = next((line for line in text.splitlines() if line.strip()), "no text")[:300]
    return ToolResult(
        status=Status.TRUNCATED if status == Status.SUCCESS and len(text) > MAX_TEXT else status,
        summary=f"{definition['name']} of {server['name']}: {first}",
        data={"text": text[:MAX_TEXT], "structured": structured or {}},
        query={"server": server["name"], "tool": definition["name"], "arguments": args},
        source=f"mcp:{server['name']}",
    )


async def _call(
    server: Mapping[str, Any], definition: Mapping[str, Any], args: dict[str, Any]
) -> tuple[str, dict[str, Any] | None, bool] | None:
    """Text, structure and whether it failed; None where the server no longer says what was looked at."""
    with anyio.fail_after(CALL_S):
        async with _client(server) as client:
            now = {one["name"]: one for one in await _listed(client)}
            if digest_of(now.get(definition["name"], {})) != digest_of(definition):
                return None
            answer = await client.call_tool(definition["name"], args)
    texts = [str(part.text) for part in answer.content if getattr(part, "type", "") == "text"]
    return "\n".join(texts), answer.structured_content, bool(answer.is_error)


def look(server: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The definitions of a server's tools as it gives them now. Raises ToolError in words."""
    try:
        return anyio.run(_look, server)
    except (OSError, RuntimeError, ValueError, ExceptionGroup) as error:
        raise ToolError(f"{server['name']} ({' '.join(server['command'])}) gives no list of tools: {error!r}") from None


async def _look(server: Mapping[str, Any]) -> list[dict[str, Any]]:
    with anyio.fail_after(CALL_S):
        async with _client(server) as client:
            return await _listed(client)


async def _listed(client: Any) -> list[dict[str, Any]]:
    answer = await client.list_tools()
    return [
        {"name": one.name, "description": one.description or "", "input_schema": one.input_schema}
        for one in answer.tools
    ]


def _client(server: Mapping[str, Any]) -> Any:
    try:
        mcp, stdio = import_module("mcp"), import_module("mcp.client.stdio")
    except ImportError:
        raise ToolError("The package mcp is not installed: .venv/bin/pip install mcp==2.3.0") from None
    command = list(server["command"])
    environment = {"PATH": PATH, "LANG": "C.UTF-8", **server.get("env", {})}
    parameters = stdio.StdioServerParameters(command=command[0], args=command[1:], env=environment)
    return mcp.Client(stdio.stdio_client(parameters))

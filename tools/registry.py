"""Finds the tools: modules of this package, entry points of installed ones (group `opspilot.tools`), declared ones."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from pydantic import ValidationError

import tools
from tools.base import Preview, Tool, ToolError
from tools.configuration import current
from tools.declared.loading import declared_tools
from tools.tickets.opening import states_of

CONCLUSION = "generate_report"


@cache
def all_tools() -> dict[str, Tool]:
    """Every tool by name, sorted: the order is part of the prompt's prefix and must not change by itself."""
    found = [module.TOOL for module in _modules() if isinstance(getattr(module, "TOOL", None), Tool)]
    found += [entry.load() for entry in entry_points(group="opspilot.tools")]
    found += declared_tools(current())
    names = [tool.name for tool in found]
    if doubled := {name for name in names if names.count(name) > 1}:
        raise RuntimeError(f"two tools share a name: {', '.join(sorted(doubled))}")
    return {tool.name: tool for tool in sorted(found, key=lambda tool: tool.name)}


def _modules() -> list[Any]:
    return [
        importlib.import_module(f"tools.{info.name}")
        for info in pkgutil.iter_modules(tools.__path__)
        if not info.ispkg and info.name not in ("base", "registry")
    ]


def get(name: str) -> Tool:
    """The tool of that name. Raises ToolError that lists the names there are."""
    try:
        return all_tools()[name]
    except KeyError:
        raise ToolError(f"There is no tool {name!r}. Tools: {', '.join(all_tools())}.") from None


def describe(name: str) -> dict[str, Any]:
    """Name, summary, risk, time-out and JSON schema of a tool, as the record and the API show it."""
    tool = get(name)
    return {
        "name": tool.name,
        "summary": tool.summary,
        "risk": tool.risk.value,
        "timeout_s": tool.timeout_s,
        "settle": tool.settle,
        "needs": list(tool.needs),
        "schema": tool.params.model_json_schema(),
    }


def names() -> list[str]:
    return list(all_tools())


def offered(kinds: Collection[str]) -> list[Tool]:
    """The tools that make sense where these kinds of source are there, sorted by name."""
    return [tool for tool in all_tools().values() if set(tool.needs) <= set(kinds)]


def validate(name: str, args: dict[str, Any]) -> dict[str, Any]:
    """The arguments as they will run: checked strictly, defaults filled in. Raises ToolError in words."""
    tool = get(name)
    try:
        return tool.params.model_validate(args).model_dump(mode="json")
    except ValidationError as error:
        raise ToolError(f"{name}: {_in_words(error, tool)}") from None


def preview(name: str, args: dict[str, Any]) -> Preview:
    """What a person sees before this call runs, made from the very arguments that will run."""
    tool = get(name)
    params = tool.params.model_validate(args)
    if tool.preview is None:
        return Preview(sentence=f"Run {name}.", destination="", undo="")
    return tool.preview(params)


def operands(name: str, args: dict[str, Any]) -> dict[str, str]:
    """Digests of what the arguments point at (a file, a saved query), for a call that waits: it may change meanwhile.

    Reads outside of us. What cannot be read has its error for a digest, so that an approval of it never fits.
    """
    tool = get(name)
    if tool.operands is None:
        return {}
    try:
        return dict(tool.operands(tool.params.model_validate(args)))
    except (ToolError, OSError, ValidationError) as error:
        return {"unreadable": str(error)}


def ticket_states(tickets: Sequence[Mapping[str, str]]) -> tuple[dict[str, str], str]:
    """What the tracker says now of tickets that were made there, and why it says nothing of some. Asks outside."""
    return states_of(tickets)


def _in_words(error: ValidationError, tool: Tool) -> str:
    parts = []
    for item in error.errors()[:5]:
        where = ".".join(str(part) for part in item["loc"]) or "arguments"
        parts.append(f"{where}: {item['msg']}")
    if any(item["type"] == "extra_forbidden" for item in error.errors()):
        parts.append(f"it takes {', '.join(tool.params.model_fields) or 'no arguments'}")
    return "; ".join(parts)

"""The request body: tools, system, messages, in that order and byte for byte the same from turn to turn."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import anthropic

from agent.claude.answer import NOTE_TOOL
from agent.claude.hypotheses import CASE_SUMMARY, CASE_TOOL, NOTE_SUMMARY, Case, Note
from agent.claude.settings import ClaudeSettings
from agent.planner import BudgetLeft, ToolDescription

PROMPTS = Path(__file__).with_name("prompts")
PARTS = ("system", "tools", "conclusion")
CACHED = {"type": "ephemeral"}
MAX_STRICT_TOOLS = 20  # the API compiles all strict schemas into one grammar and refuses a large one
LITTLE_LEFT = "Little of the budget is left. Conclude now with generate_report, from what is known."


@cache
def version() -> str:
    """Names the prompt that a run was asked with: changes with every letter of it."""
    words = [system_text(), NOTE_SUMMARY, CASE_SUMMARY, LITTLE_LEFT]
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]


@cache
def system_text() -> str:
    return "\n\n".join((PROMPTS / f"{part}.txt").read_text().strip() for part in PARTS)


def request_body(
    messages: list[dict[str, Any]],
    tools: list[dict[str, Any]],
    budget: BudgetLeft,
    settings: ClaudeSettings,
    model: str,
) -> dict[str, Any]:
    """What one call sends. Breakpoints: the system text, the end of the last call's prompt, the end of this one's."""
    messages = _with_breakpoints(messages) if settings.cache else list(messages)
    if budget.model_calls <= 2 or budget.steps <= 6:
        say(messages, LITTLE_LEFT)  # behind the last breakpoint: it is no part of the prefix
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": settings.max_tokens,
        "tools": tools,
        "system": [{"type": "text", "text": system_text()} | ({"cache_control": CACHED} if settings.cache else {})],
        "messages": messages,
    }
    if settings.thinking:
        body["thinking"] = {"type": settings.thinking}
    if settings.effort:
        body["output_config"] = {"effort": settings.effort}
    return body


def _with_breakpoints(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    marked = list(messages)
    for place in [place for place, message in enumerate(messages) if message["role"] == "user"][-2:]:
        *before, last = messages[place]["content"]
        marked[place] = messages[place] | {"content": [*before, last | {"cache_control": CACHED}]}
    return marked


def say(messages: list[dict[str, Any]], text: str) -> None:
    """Adds words of ours at the very end, for this request only."""
    messages[-1] = messages[-1] | {"content": [*messages[-1]["content"], {"type": "text", "text": text}]}


class ToolParams:
    """The tools as the API takes them, made anew only when other tools are offered: it takes longer than a turn."""

    def __init__(self, strict: bool):
        self._strict = strict
        self._tools: list[ToolDescription] = []
        self._params: list[dict[str, Any]] = []

    def of(self, tools: Sequence[ToolDescription]) -> list[dict[str, Any]]:
        if not self._params or self._tools != list(tools):
            self._tools, self._params = list(tools), tool_params(tools, self._strict)
        return self._params


def tool_params(tools: Sequence[ToolDescription], strict: bool) -> list[dict[str, Any]]:
    """The tools sorted by name. Flat schemas are strict; a nested grammar is too large."""
    pseudo = [
        ToolDescription(NOTE_TOOL, NOTE_SUMMARY, "read", Note.model_json_schema()),
        ToolDescription(CASE_TOOL, CASE_SUMMARY, "read", Case.model_json_schema()),
    ]
    params = [_tool_param(tool, strict) for tool in sorted([*tools, *pseudo], key=lambda tool: tool.name)]
    for param in [param for param in params if param.get("strict")][MAX_STRICT_TOOLS:]:
        del param["strict"]
    return params


def _tool_param(tool: ToolDescription, strict: bool) -> dict[str, Any]:
    param: dict[str, Any] = {"name": tool.name, "description": tool.summary}
    schema = _without_titles(tool.schema)
    if not strict or "$defs" in schema:
        return param | {"input_schema": schema}
    flat = anthropic.transform_schema(schema)
    # Optional parameters are what makes a grammar large; the defaults stand in the descriptions.
    flat["required"] = list(flat.get("properties", {}))
    return param | {"input_schema": flat, "strict": True}


def _without_titles(schema: Any) -> Any:
    """pydantic titles every field with its own name: tokens that say nothing. A field named title stays."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: _without_titles(item) for name, item in value.items()}
        if key in ("properties", "$defs")
        else _without_titles(value)
        for key, value in schema.items()
        if key != "title" or not isinstance(value, str)
    }

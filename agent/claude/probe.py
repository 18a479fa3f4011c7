"""Finds out what an address that speaks the Messages API lacks, by a few requests of a few tokens.

Gateways and local models often know no strict schemas, cache marks or streaming, and refuse a request that has them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

from agent.claude.client import ClaudeClient
from agent.claude.prompt import request_body, tool_params
from agent.claude.settings import FEATURES, ClaudeSettings
from agent.errors import Misconfigured
from agent.planner import BudgetLeft, ToolDescription

PATIENCE_S = 30
SHORT = 64  # tokens of an answer
PLENTY = BudgetLeft(steps=100, tool_calls=100, model_calls=100, tokens=10**6, micro_usd=10**6)
WORDS = {"type": "object", "properties": {"words": {"type": "string"}}, "required": ["words"]}
ECHO = ToolDescription("echo", "Says back what it is given.", "read", WORDS | {"additionalProperties": False})


def lacking(settings: ClaudeSettings) -> tuple[str, ...]:
    """The fewest of FEATURES without which the address takes a request; () when it lacks none.

    Raises PlannerFault: Misconfigured when it takes none at all (a key, a model's name), others when it is away.
    """
    refused: Misconfigured | None = None
    for lacks in _subsets():
        try:
            _ask(replace(settings, lacks=lacks, max_tokens=SHORT))
        except Misconfigured as fault:
            refused = refused or fault
        else:
            return lacks
    assert refused is not None  # noqa: S101  every subset was refused
    raise refused


def _subsets() -> Iterator[tuple[str, ...]]:
    for size in range(len(FEATURES) + 1):
        yield from combinations(FEATURES, size)


def _ask(settings: ClaudeSettings) -> None:
    tools = tool_params([ECHO], settings.strict_tools)
    messages = [{"role": "user", "content": [{"type": "text", "text": "Call echo with the word hello."}]}]
    body = request_body(messages, tools, PLENTY, settings, settings.model)
    ClaudeClient(settings).ask(body, lambda text: None, time.monotonic() + PATIENCE_S)

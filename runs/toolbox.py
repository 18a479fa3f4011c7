"""What the record asks of the hands: describe, validate, preview, operands, and what became of tickets.

Loaded by the dotted path in settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib import import_module
from typing import Any

from django.conf import settings


class InvalidArguments(Exception):
    """The tool does not take these arguments; the text says which and why."""


@cache
def _box() -> Any:
    return import_module(settings.OPSPILOT_TOOLBOX)


def names() -> list[str]:
    """All tools, sorted."""
    return list(_box().names())


def describe(tool: str) -> dict[str, Any]:
    """Name, summary, risk, time-out and JSON schema of a tool. Raises InvalidArguments for an unknown one."""
    try:
        return dict(_box().describe(tool))
    except _box().ToolError as error:
        raise InvalidArguments(str(error)) from None


def validate(tool: str, args: dict[str, Any]) -> dict[str, Any]:
    """The arguments as they will run, defaults filled in. Raises InvalidArguments."""
    try:
        return dict(_box().validate(tool, args))
    except _box().ToolError as error:
        raise InvalidArguments(str(error)) from None


def preview(tool: str, args: dict[str, Any]) -> dict[str, str]:
    """What a person is shown before the call, made from exactly these arguments."""
    return asdict(_box().preview(tool, args))


def operands(tool: str, args: dict[str, Any]) -> dict[str, str]:
    """Digests of what the arguments point at; {} for nearly every tool. Reads outside: never in a transaction."""
    return dict(_box().operands(tool, args))


def ticket_states(tickets: Sequence[Mapping[str, str]]) -> tuple[dict[str, str], str]:
    """Name → open, closed or gone, as the tracker says, and what kept it from saying more. Never in a transaction."""
    states, problem = _box().ticket_states(tickets)
    return dict(states), str(problem)

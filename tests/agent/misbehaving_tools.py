"""Tools that fail in every way a tool can; the tests install them by entry points, as a stranger's would be."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools.base import Params, Risk, Status, Tool, ToolContext, ToolError, ToolResult


class Anything(Params):
    seconds: float = 0
    path: str = ""
    evidence: str = ""
    rows: int = 0


def _echo(context: ToolContext, params: Anything) -> ToolResult:
    time.sleep(params.seconds)
    data = {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "environment": dict(os.environ),
        "stdin": sys.stdin.read(),
        "context": [context.key, context.as_of, context.focus, context.meta],
        "sources": [[spec.name, spec.url] for spec in context.sources.specs],
    }
    return ToolResult(Status.SUCCESS, "echo", data, source="echo", freshness=datetime(2026, 1, 2, tzinfo=UTC))


def _append(context: ToolContext, params: Anything) -> ToolResult:
    """Leaves a trace outside, then dies: whoever repeats it is found out."""
    with Path(params.path).open("a") as file:
        file.write("done\n")
    os._exit(7)


def _exit(context: ToolContext, params: Anything) -> ToolResult:
    sys.exit("leaving")


def _raise(context: ToolContext, params: Anything) -> ToolResult:
    raise ValueError("could not parse \ud800")


def _refuse(context: ToolContext, params: Anything) -> ToolResult:
    raise ToolError("No source 'x'. Sources: shop.")


def _greedy(context: ToolContext, params: Anything) -> ToolResult:
    hoard = [bytearray(8_000_000) for _ in range(10_000)]
    return ToolResult(Status.SUCCESS, str(len(hoard)))


def _segfault(context: ToolContext, params: Anything) -> ToolResult:
    ctypes.string_at(0)
    raise AssertionError


def _garble(context: ToolContext, params: Anything) -> ToolResult:
    print("this goes nowhere")  # noqa: T201 - the point: it must not reach the worker's own output
    data = {"text": "a\0b\ud800", "bad": [float("nan"), float("inf"), 1.5], "raw": b"\xff", 3: {"deep"}}
    return ToolResult(Status.SUCCESS, "nul \0", data, figures={"nan": float("nan"), "total": 2})


def _large(context: ToolContext, params: Anything) -> ToolResult:
    rows = [{"message": "x" * 100, "n": n} for n in range(params.rows)]
    return ToolResult(Status.SUCCESS, f"{params.rows} rows.", {"total": params.rows, "matches": rows})


def _from_evidence(context: ToolContext, params: Anything) -> ToolResult:
    return ToolResult(Status.SUCCESS, "read", {"found": context.evidence(params.evidence).data})


def _tool(name: str, run: Callable[[ToolContext, Any], ToolResult]) -> Tool:
    return Tool(name=name, summary="For tests.", params=Anything, risk=Risk.READ, run=run)


TOOLS = {
    name: _tool(name, run)
    for name, run in {
        "echo": _echo,
        "append_then_die": _append,
        "sys_exit": _exit,
        "raise_value_error": _raise,
        "refuse": _refuse,
        "greedy": _greedy,
        "segfault": _segfault,
        "garble": _garble,
        "large": _large,
        "from_evidence": _from_evidence,
    }.items()
}
globals().update(TOOLS)  # an entry point names an attribute of a module

"""A declared command: which words run, what an approver reads of them, what became of them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from tools.base import Preview, Status, ToolContext, ToolError, ToolResult
from tools.declared.declaration import PLACE, Declaration, filled
from tools.processes import run_words


def words_of(declaration: Declaration, args: Mapping[str, Any]) -> list[str]:
    """The words that run. Raises ToolError for a value that would be read as an option."""
    found: list[str] = []
    for word in declaration.run or ():
        text = filled(word, args)
        if "\x00" in text:
            raise ToolError(f"{declaration.name}: a NUL character is no part of a command.")
        if PLACE.match(word) and text.startswith("-") and "--" not in found:
            raise ToolError(
                f"{declaration.name}: {text[:60]!r} begins with '-', which the command would take for an option."
            )
        found.append(text)
    return found


def run_command(declaration: Declaration, context: ToolContext, args: Mapping[str, Any]) -> ToolResult:
    words = words_of(declaration, args)
    ended = run_words(words, declaration.timeout_s, declaration.output_limit)
    output = ended.output.decode("utf-8", "replace")
    first = next((line for line in output.splitlines() if line.strip()), "no output")[:300]
    is_read = declaration.risk.value in ("read", "read_egress")
    status = Status.SUCCESS if not ended.code else Status.ERROR
    if not ended.code and (ended.is_cut or (is_read and not output.strip())):
        status = Status.TRUNCATED if ended.is_cut else Status.NO_DATA
    cut = f" Output cut after {declaration.output_limit:,} bytes." if ended.is_cut else ""
    return ToolResult(
        status=status,
        summary=f"{words[0]} ended with {ended.code}: {first}{cut}",
        data={"output": output, "exit_code": ended.code, "cut": ended.is_cut},
        figures={"exit_code": ended.code},
        query={"command": shlex.join(words)},
        source=declaration.name,
    )


def preview_command(declaration: Declaration, args: Mapping[str, Any]) -> Preview:
    words = words_of(declaration, args)
    return Preview(
        sentence=f"Run {words[0]} on the machine of OpsPilot's worker.",
        destination=f"the command {words[0]}",
        undo="" if declaration.risk.value != "write" else "can be undone, says its declaration",
        body=shlex.join(words),
    )

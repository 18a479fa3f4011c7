"""Makes tools of what the configuration declares, and says which are switched off and why."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from tools.base import Params, Preview, Tool, ToolContext, ToolResult
from tools.configuration import Configuration
from tools.declared import command, mcp_servers, request
from tools.declared.declaration import Declaration, params_of, read_declaration
from tools.processes import PATH


def declared_tools(configuration: Configuration) -> list[Tool]:
    """Raises ToolError for an entry that is wrong: half a set of tools would not be what the operator wrote."""
    declarations = [read_declaration(raw) for raw in configuration.tools]
    made = [_tool(one) for one in declarations if not lacking(one)]
    return [*made, *mcp_servers.tools_of(configuration.servers)]


def switched_off(configuration: Configuration) -> dict[str, str]:
    """Name of each declared tool that is not offered → why."""
    declarations = [read_declaration(raw) for raw in configuration.tools]
    return {one.name: why for one in declarations if (why := lacking(one))}


def lacking(declaration: Declaration) -> str:
    """Why the tool cannot work here; "" where nothing is missing."""
    commands: Iterable[str] = (*declaration.needs.commands, *(declaration.run or ())[:1])
    missing = [f"the command {one} is not installed" for one in commands if not shutil.which(one, path=PATH)]
    missing += [f"the file {one} is not there" for one in declaration.needs.files if not Path(one).exists()]
    return "; ".join(dict.fromkeys(missing))


def _tool(declaration: Declaration) -> Tool:
    return Tool(
        name=declaration.name,
        summary=declaration.summary,
        params=params_of(declaration),
        risk=declaration.risk,
        run=partial(_run, declaration),
        preview=partial(_preview, declaration),
        timeout_s=declaration.timeout_s + 5,
        settle=declaration.settle,
    )


def _run(declaration: Declaration, context: ToolContext, params: Params) -> ToolResult:
    args: dict[str, Any] = params.model_dump(mode="json")
    runner = command.run_command if declaration.run else request.run_request
    return runner(declaration, context, args)


def _preview(declaration: Declaration, params: Params) -> Preview:
    args: dict[str, Any] = params.model_dump(mode="json")
    return (command.preview_command if declaration.run else request.preview_request)(declaration, args)

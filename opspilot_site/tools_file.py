"""Reads tools.yaml: declared tools and MCP servers. What an entry of it means is checked where tools are made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from django.core.exceptions import ImproperlyConfigured

RISKS = ("read", "read_egress", "write", "destructive")
SERVER = ("name", "command", "env", "tools")


@dataclass(frozen=True, slots=True)
class ToolsFile:
    tools: tuple[Mapping[str, Any], ...] = ()
    servers: tuple[Mapping[str, Any], ...] = ()

    def as_parts(self) -> dict[str, Any]:
        return {"tools": self.tools, "servers": self.servers}


def read_tools_file(path: Path, looked_at: Path) -> ToolsFile:
    """Empty where there is no such file. `looked_at` holds what `mcp look` has kept of each server.

    Raises ImproperlyConfigured in words.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        return ToolsFile()
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ImproperlyConfigured(f"{path}: {' '.join(str(error).split())}") from None
    if not isinstance(raw, Mapping) or set(raw) - {"tools", "servers"}:
        raise ImproperlyConfigured(f"{path}: holds the lists tools and servers, and nothing else.")
    tools = tuple(_entry(path, one) for one in raw.get("tools") or ())
    servers = tuple(_server(path, _entry(path, one), looked_at) for one in raw.get("servers") or ())
    return ToolsFile(tools, servers)


def kept_at(looked_at: Path, server: str) -> Path:
    """Where the definitions of a server's tools are kept."""
    return looked_at / f"{server}.json"


def _entry(path: Path, raw: Any) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise ImproperlyConfigured(f"{path}: an entry of tools or servers is a mapping, not {type(raw).__name__}.")
    return raw


def _server(path: Path, raw: Mapping[str, Any], looked_at: Path) -> Mapping[str, Any]:
    name, command, risks = str(raw.get("name", "")), raw.get("command"), raw.get("tools") or {}
    where = f"{path}, server {name or 'without a name'}"
    if unknown := set(raw) - set(SERVER):
        raise ImproperlyConfigured(f"{where}: {', '.join(map(str, unknown))} is not known; known: {', '.join(SERVER)}.")
    if not name.replace("_", "").isalnum() or not name.isascii():
        raise ImproperlyConfigured(f"{where}: a name has letters, digits and _ only.")
    if not isinstance(command, list) or not command or not all(isinstance(word, str) for word in command):
        raise ImproperlyConfigured(f"{where}: command is a list of words, such as [npx, -y, some-server].")
    if wrong := {tool: risk for tool, risk in risks.items() if risk not in RISKS}:
        raise ImproperlyConfigured(f"{where}: the risk of a tool is one of {', '.join(RISKS)}; wrong: {wrong}.")
    kept = kept_at(looked_at, name)
    return {
        "name": name, "command": command, "risks": dict(risks),
        "env": {str(key): str(value) for key, value in (raw.get("env") or {}).items()},
        "looked_at": json.loads(kept.read_text()) if kept.exists() else [],
    }  # fmt: skip

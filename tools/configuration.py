"""What the operator has set for the tools beside the sources of a run. Set once at start, and handed to tool processes.

Holds paths of secrets, never secrets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Configuration:
    tickets: str = ""  # URL of the tracker; "" keeps tickets here only
    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # name → options of sources.yaml
    tools: Sequence[Mapping[str, Any]] = ()  # declared in YAML, as read
    servers: Sequence[Mapping[str, Any]] = ()  # of the Model Context Protocol, with the tools that were looked at

    def as_json(self) -> str:
        return json.dumps(asdict(self))


_current = [Configuration()]


def configure(configuration: Configuration) -> None:
    """Before the first tool is looked up: what is found then is kept."""
    _current[0] = configuration


def from_json(text: str) -> Configuration:
    return Configuration(**json.loads(text))


def current() -> Configuration:
    return _current[0]

"""One log entry, and the head of one: what every line is read for. Parsing is next door."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Head:
    """What is read from each line. An empty service means that the line names none."""

    at_us: int
    level: int
    service: str


@dataclass(frozen=True, slots=True)
class Body:
    """What is read only from the lines that are shown or counted by template."""

    message: str
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    at_us: int
    service: str
    level: str
    message: str
    where: str  # "app.log:1042"
    fields: dict[str, Any]

"""One span as every trace back end gives it, and what such a back end is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from tools.sources.spec import SourceState


@dataclass(frozen=True, slots=True)
class Span:
    """`error` is the text of the failure, "" where it did not fail. `peer` is a callee that writes no spans itself."""

    trace_id: str
    span_id: str
    parent_id: str
    service: str
    name: str
    start_us: int
    duration_ms: float
    error: str = ""
    peer: str = ""
    fields: dict[str, Any] = field(default_factory=dict)


class TraceSource(Protocol):
    name: str

    def state(self) -> SourceState: ...

    def spans(self, since_us: int, until_us: int) -> list[Span]:
        """All spans of every trace that has a span starting in the range."""
        ...

    def topology(self) -> list[tuple[str, str]]: ...

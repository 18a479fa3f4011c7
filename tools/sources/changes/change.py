"""One change as every back end gives it, and what such a back end is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from tools.sources.spec import SourceState

ChangeKind = Literal["deploy", "commit", "flag", "status"]


@dataclass(frozen=True, slots=True)
class Change:
    id: str
    kind: ChangeKind
    at_us: int
    service: str
    title: str
    author: str = ""
    version: str = ""
    commit: str = ""  # of a deploy: the commit it carried
    files: tuple[str, ...] = ()
    diff: str = ""
    text: str = ""  # what the change says of itself, one readable line


class ChangeSource(Protocol):
    name: str

    def state(self) -> SourceState: ...

    def changes(self) -> list[Change]: ...

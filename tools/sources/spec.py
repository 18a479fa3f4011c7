"""How a source is written down and what it answered when it was looked at. Opens nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Literal

from tools.web.access import Access

Kind = Literal["logs", "metrics", "traces", "changes"]
KINDS: tuple[Kind, ...] = ("logs", "metrics", "traces", "changes")

ACCESS = tuple(one.name for one in fields(Access) if one.name != "headers")


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What `sources.yaml` says beside the URL. Never stored with a run: read anew from the settings for each call."""

    access: Access = field(default_factory=Access)
    fields: tuple[tuple[str, str], ...] = ()  # our word (time, level, service, message) → the source's field or label
    services: tuple[tuple[str, str], ...] = ()  # the source's name of a service → the name everybody else uses
    timezone: str = ""  # of times in files that name none; empty is UTC
    link: str = ""  # of "Open in source", with {query}, {since_ms}, {until_ms}; else the source's own page

    def named(self, name: str) -> str:
        return dict(self.fields).get(name, "")


def read_options(raw: Mapping[str, Any]) -> SourceOptions:
    """From the values of `sources.yaml` or from `pack_options`."""
    access = {name: str(raw[name]) for name in ACCESS if raw.get(name)}
    return SourceOptions(
        access=Access(**access, headers=_pairs(raw.get("headers"))),
        fields=_pairs(raw.get("fields")),
        services=_pairs(raw.get("services")),
        timezone=str(raw.get("timezone") or ""),
        link=str(raw.get("link") or ""),
    )


def pack_options(options: SourceOptions) -> dict[str, Any]:
    """JSON that `read_options` takes."""
    packed = asdict(options.access) | {"fields": options.fields, "services": options.services}
    pairs = {name: dict(packed[name]) for name in ("headers", "fields", "services")}
    texts = {"timezone": options.timezone, "link": options.link}
    return {name: value for name, value in (packed | pairs | texts).items() if value}


def _pairs(raw: object) -> tuple[tuple[str, str], ...]:
    return tuple((str(name), str(value)) for name, value in raw.items()) if isinstance(raw, Mapping) else ()


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """A source as the operator wrote it; all but its options is stored on the run.

    An empty kind means all that the URL holds.
    """

    name: str
    url: str
    env: str = ""
    kind: Kind | Literal[""] = ""
    options: SourceOptions = field(default_factory=SourceOptions)


@dataclass(frozen=True, slots=True)
class Asked:
    """A query as the back end got it, and the page of the back end that shows the same; "" where it has none."""

    text: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class SourceState:
    """What a source answered when it was looked at: for `doctor`, the run's page and the planner."""

    name: str
    kind: Kind
    rows: int | None
    oldest: datetime | None
    newest: datetime | None
    services: Sequence[str]
    problem: str = ""  # in words; empty when it answers
    skipped: int = 0  # malformed rows
    notes: Sequence[str] = ()  # files that were not read, and why


def problem_of(rows: int, notes: Sequence[str], skipped: int, missing: str, files: Sequence[str]) -> str:
    """Why a source cannot be used: nothing in it could be read. A source that is merely empty has no problem."""
    if rows:
        return ""
    where = f"{', '.join(files[:3])}: " if files else ""
    counted = "1 row" if skipped == 1 else f"{skipped:,} rows"
    return "; ".join(notes) or (f"{where}{counted}, none with {missing}" if skipped else "")

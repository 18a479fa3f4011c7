"""What a command-line investigation reads: a folder or configured sources, looked at before a run is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils import timezone

from agent.execute import look_at_sources
from agent.jobs import tool_host
from runs.models import Run
from runs.presentation.formats import duration, number, plural
from runs.services.errors import Refused
from runs.sources import Source, chosen_sources
from tools.base import ToolError
from tools.sources import parse_spec


class NothingToRead(Exception):
    """The text says what was looked at and what would have been read."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Sources with what each of them answered, and the moment that an investigation of them judges by."""

    sources: list[Source]
    states: list[dict[str, Any]]
    as_of: datetime

    def in_words(self) -> str:
        """`data: logs 48,210 rows, metrics 62 rows · newest row 8 s old`"""
        by_source: dict[str, list[str]] = {}
        for state in self.states:
            by_source.setdefault(state["name"], []).append(_state_in_words(state))
        words = "; ".join(f"{name}: {', '.join(parts)}" for name, parts in by_source.items())
        newest = _newest(self.states)
        return words + (f" · newest row {duration((timezone.now() - newest).total_seconds())} old" if newest else "")


def read(folders: Sequence[str], names: Sequence[str]) -> Reading:
    """Look at the sources. Raises NothingToRead where none of them answers."""
    sources = [_folder_source(folder) for folder in folders]
    if names or not sources:
        sources += _configured(list(names))
    now = timezone.now()
    # The tools look, in their own process: a hostile folder costs a call, not this command.
    states = look_at_sources(Run(pk=0, sources=sources, as_of=now), tool_host(), lambda deadline_s: None)["sources"]
    if not any(state["problem"] == "" for state in states):
        problems = " ".join(dict.fromkeys(state["problem"] for state in states))
        raise NothingToRead(problems or "Nothing of what was named can be read.")
    are_folders = all(source["url"].startswith("file:") for source in sources)
    newest = _newest(states) if are_folders else None
    return Reading(sources, states, min(newest, now) if newest else now)


def _folder_source(text: str) -> Source:
    path = Path(text).expanduser()
    if "://" not in text and not path.exists():
        raise NothingToRead(
            f"There is no folder {text}. Name one with logs (*.log, *.jsonl) or metrics (metrics*.csv)."
        )
    try:
        spec = parse_spec(text)
    except ToolError as error:
        raise NothingToRead(str(error)) from None
    return Source(name=spec.name, url=spec.url, env=spec.env, kind=spec.kind)


def _configured(names: list[str]) -> list[Source]:
    try:
        found = chosen_sources(names)
    except Refused as refused:
        raise NothingToRead(str(refused)) from None
    if not found:
        raise NothingToRead(
            "OpsPilot has nothing to read yet. Name a folder with --data DIR, or set OPSPILOT_LOGS and "
            "OPSPILOT_METRICS (.env.example shows how)."
        )
    return found


def _state_in_words(state: dict[str, Any]) -> str:
    if state["problem"]:
        return f"{state['kind']} {state['problem']}"
    skipped = f" ({plural(state['skipped'], 'malformed row')} skipped)" if state["skipped"] else ""
    return f"{state['kind']} {number(state['rows']) + ' rows' if state['rows'] is not None else 'answers'}{skipped}"


def _newest(states: list[dict[str, Any]]) -> datetime | None:
    times = [datetime.fromisoformat(state["newest"]) for state in states if state["newest"] and not state["problem"]]
    return max(times, default=None)

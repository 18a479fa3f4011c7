"""One Evidence asked again outside of OpsPilot: the source's own query and page, the command for a terminal. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from runs.models import Evidence

MOST = 20
KEPT_BACK = ("native", "source", "as_of", "asked_step_s")  # of a query: not arguments of the tool


@dataclass(frozen=True, slots=True)
class Native:
    """A query as the source got it; `url` is its page there, "" where it has none that may be a link."""

    source: str
    text: str
    url: str


def native_queries(query: Mapping[str, Any]) -> list[Native]:
    rows = query.get("native")
    found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return [Native(str(row.get("source", "")), str(row.get("text", "")), _link(row.get("url"))) for row in found[:MOST]]


def _link(url: object) -> str:
    return url if isinstance(url, str) and url.startswith(("https://", "http://")) else ""


def ask_again(evidence: Evidence, configured: Collection[str]) -> str:
    """The command that asks the same; "" for a tool that people cannot ask, or a source that is not configured."""
    call = evidence.call
    if call.risk != "read" or not evidence.query.get("source"):
        return ""
    names = [part.partition(":")[0] for part in evidence.source.split("+")]
    if not set(names) <= set(configured):
        return ""
    words = ["./opspilot", "tool", call.tool, *(word for name in names for word in ("--source", name))]
    asked = {**call.args, **{name: evidence.query[name] for name in ("since", "until") if name in evidence.query}}
    pairs = [f"{name}={value}" for name, value in asked.items() if value not in ("", None) and name not in KEPT_BACK]
    return shlex.join([*words, *pairs])

"""What calls that run now look at, in words for people: `error logs of orders-api since 02:00`. Pure; no query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from runs.presentation.formats import clock, moment

PLACES_SHOWN = 2  # services with a time; it is a headline
PATTERN_SHOWN = 60  # characters of a search's pattern
LEVELS = {"ERROR": "error logs", "FATAL": "fatal logs", "WARN": "warnings"}
RUNNING = {"investigate_hypotheses": "sub-runs"}  # what no tool's name says well
Call = tuple[str, Mapping[str, Any]]  # tool, arguments


def looking_at(calls: Iterable[Call], as_of: datetime) -> str:
    """`looking at metrics and error logs of all services`; a tool that does not read is named: `running create ticket`.

    Calls over the same services and time are said together, each thing once.
    """
    things: dict[str, list[str]] = {}
    for tool, args in calls:
        thing = _thing(tool, args)
        where = _where(args, as_of) if thing else ""
        said = things.setdefault(where, []) if thing else things.setdefault("running", [])
        words = thing or RUNNING.get(tool) or tool.replace("_", " ")
        if words not in said:
            said.append(words)
    running = things.pop("running", [])
    parts = [f"{_listed(said)} {where}" for where, said in things.items()]
    more = ["more"] if len(parts) > PLACES_SHOWN else []
    looks = [f"looking at {'; '.join(parts[:PLACES_SHOWN] + more)}"] if parts else []
    return "; ".join([*looks, *([f"running {_listed(running)}"] if running else [])])


def _thing(tool: str, args: Mapping[str, Any]) -> str:
    """What a reading tool reads; empty for any other tool."""
    match tool:
        case "search_logs":
            return _logs(args)
        case "query_metrics":
            name = str(args.get("name") or "*")
            return "metrics" if name == "*" else f"metrics “{name}”"
        case "query_traces":
            return "failed traces" if args.get("errors_only") else "traces"
        case "list_changes":
            return "changes"
        case _:
            return ""


def _logs(args: Mapping[str, Any]) -> str:
    logs = LEVELS.get(str(args.get("level") or ""), "logs")
    pattern = str(args.get("pattern") or "")
    if not pattern:
        return logs
    shown = pattern if len(pattern) <= PATTERN_SHOWN else pattern[: PATTERN_SHOWN - 1] + "…"
    return f"{logs} with “{shown}”"


def _where(args: Mapping[str, Any], as_of: datetime) -> str:
    """Whose, and since when: `of orders-api since 02:00`, `of all services in the last 5 hours`."""
    service = str(args.get("service") or args.get("callee") or "all services")
    since = str(args.get("since") or "")
    if not since:
        return f"of {service}"
    if since.startswith("last "):
        return f"of {service} in the {since}"
    return f"of {service} since {clock(since, as_of) if moment(since) else since}"


def _listed(words: list[str]) -> str:
    return " and ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])} and {words[-1]}"

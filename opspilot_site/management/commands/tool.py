"""`tool NAME key=value…`: asks one read tool, as the agent would."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from agent.execute import ask_once, can_be_asked
from agent.jobs import tool_host
from opspilot_site.reading import NothingToRead, Reading, read
from runs.models import Run
from runs.presentation.display import reveal
from tools import registry
from tools.base import Status, ToolError, ToolResult

ERROR, USAGE = 1, 2
FIGURES_SHOWN, ROWS_SHOWN, ROW_WIDTH = 20, 5, 300


class Command(BaseCommand):
    help = (
        "Ask one read tool and print what it returns, for example: tool search_logs pattern=timeout limit=5. "
        "Exit codes: 0 answered (also: nothing found), 1 the tool failed, 2 usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", help="; ".join(name for name in registry.names() if can_be_asked(name)))
        parser.add_argument("arguments", nargs="*", metavar="key=value", help="text as it is, anything else as JSON")
        parser.add_argument(
            "--data", action="append", default=[], metavar="DIR", help="a folder instead of the sources"
        )
        parser.add_argument("--source", action="append", default=[], metavar="NAME", help="only this configured source")
        parser.add_argument("--json", action="store_true", help="print the whole result as one object")

    def create_parser(self, *args: Any, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(*args, **kwargs)
        # `tool NAME --data DIR key=value`: plain argparse takes key=value only before the options.
        setattr(parser, "parse_args", parser.parse_intermixed_args)  # noqa: B010  mypy: a method
        return parser

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["name"]:
            raise CommandError(tools_in_words(), returncode=USAGE)
        try:
            result = _ask(options["name"], options["arguments"], options["data"], options["source"])
        except (ToolError, NothingToRead) as error:
            raise CommandError(str(error), returncode=USAGE) from None
        finally:
            tool_host().stop()
        self.stdout.write(json.dumps(_as_json(result), ensure_ascii=False) if options["json"] else in_words(result))
        if result.status == Status.ERROR:
            raise CommandError(f"{options['name']} failed.", returncode=ERROR)


def tools_in_words() -> str:
    """The tools that can be asked, a line each."""
    known = [(name, registry.describe(name)["summary"]) for name in registry.names() if can_be_asked(name)]
    lines = [f"  {name:<20} {summary}" for name, summary in known]
    return "\n".join(["Name a tool, for example: ./opspilot tool search_logs pattern=timeout", *lines])


def _ask(name: str, pairs: list[str], folders: list[str], names: list[str]) -> ToolResult:
    args = arguments(registry.describe(name)["schema"], pairs)
    reading = read(folders, names) if can_be_asked(name) else Reading([], [], timezone.now())
    run = Run(pk=0, sources=reading.sources, as_of=reading.as_of)
    return ask_once(run, name, args, tool_host()).result


def arguments(schema: dict[str, Any], pairs: list[str]) -> dict[str, Any]:
    """`limit=5` → {"limit": 5}; what the schema calls text stays text. Raises ToolError for a word without `=`."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, separator, text = pair.partition("=")
        if not separator:
            raise ToolError(f"{pair!r} is not key=value. Keys: {', '.join(schema.get('properties', {})) or 'none'}.")
        found[key] = text if schema.get("properties", {}).get(key, {}).get("type") == "string" else _value(text)
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _as_json(result: ToolResult) -> dict[str, Any]:
    return {
        "status": result.status.value, "summary": result.summary, "source": result.source, "query": result.query,
        "figures": result.figures, "skipped": result.skipped, "data": result.data,
        "freshness": result.freshness.isoformat() if result.freshness else None,
    }  # fmt: skip


def in_words(result: ToolResult) -> str:
    """Summary, what was asked, figures, then the data a row a line; hidden characters spelled out, the rest counted."""
    lines = [f"{result.status.value}: {result.summary}"]
    lines += [f"  {name}: {value}" for name, value in result.query.items() if value not in ("", None)]
    if result.freshness:
        lines.append(f"  newest row: {result.freshness.isoformat()}")
    if result.skipped:
        lines.append(f"  malformed rows skipped: {result.skipped}")
    lines += [f"  {name} = {value:g}" for name, value in list(result.figures.items())[:FIGURES_SHOWN]]
    lines += [line for name, value in result.data.items() if value not in ("", None) for line in _field(name, value)]
    return "\n".join(reveal(line) for line in lines)


def _field(name: str, value: Any) -> list[str]:
    if not isinstance(value, list):
        return [f"{name}: {_short(value)}"]
    rows = [f"  {_short(row)}" for row in value[:ROWS_SHOWN]]
    rest = [f"  … {len(value) - ROWS_SHOWN:,} more; --json prints all"] if len(value) > ROWS_SHOWN else []
    return [f"{name}:", *rows, *rest] if value else [f"{name}: none"]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= ROW_WIDTH else f"{text[:ROW_WIDTH]}… ({len(text):,} characters)"

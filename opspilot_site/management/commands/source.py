"""`source list | check NAME | add URL`: what OpsPilot can read, how it reads it, and one more."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from agent.execute import ask_once, look_at_sources
from agent.jobs import tool_host
from opspilot_site.diagnosis import Finding, finding_of
from opspilot_site.dotenv import add_to_list
from runs.models import Run
from runs.presentation.display import reveal
from runs.services.errors import Refused
from runs.sources import Source, chosen_sources, configured_sources
from tools.base import ToolError
from tools.sources import parse_spec

BESIDE = {
    "token_file": "a file with a bearer token",
    "user": "for a password, with --password-file",
    "password_file": "a file with the password of --user",
    "api_key_file": "a file with an API key, as Elasticsearch has them",
    "ca_file": "a certificate authority of your own, as PEM",
    "timezone": "of times in files that name none, as Europe/Berlin; else UTC",
}
ROWS_SHOWN = 3
SERVICES_SHOWN = 12
NEWEST: dict[str, tuple[str, dict[str, Any], Callable[[dict[str, Any]], list[Any]]]] = {
    # kind: (the tool that reads it, its arguments, where its rows are)
    "logs": ("search_logs", {"limit": ROWS_SHOWN}, lambda data: data["matches"]),
    "metrics": ("query_metrics", {"step_s": 60}, lambda data: _last_points(data["series"])),
    "traces": ("query_traces", {"limit": ROWS_SHOWN}, lambda data: data["slowest"]),
    "changes": ("list_changes", {}, lambda data: [change["text"] for change in data["changes"]][::-1]),
}


class Command(BaseCommand):
    help = "List the configured sources, show how one is read, or add one to .env."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        listing = verbs.add_parser("list", help="every source with its rows and the age of the newest")
        listing.add_argument("--json", action="store_true")
        check = verbs.add_parser("check", help="three rows as parsed, time zone, newest row, services")
        check.add_argument("name", help="of a configured source; or a URL or folder that is not configured yet")
        add = verbs.add_parser("add", help="look at a URL or folder and add it to .env")
        add.add_argument("url", help="file:///var/log/shop, a folder, loki+https://…, prometheus+http://…, git:///…")
        add.add_argument("--name", default="", help="what it is called; else after its last part")
        for part in BESIDE:
            add.add_argument(f"--{part.replace('_', '-')}", default="", help=BESIDE[part])
        add.add_argument("--kind", default="data", choices=settings.SOURCE_KINDS, help="data: all that it holds")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            match options["verb"]:
                case "list":
                    self._list(options["json"])
                case "check":
                    self._check(_named(options["name"]))
                case "add":
                    given = {part: options[part] for part in BESIDE if options[part]}
                    self._add(_with(options["url"], given), options["name"], options["kind"])
        except (ToolError, Refused) as error:
            raise CommandError(str(error), returncode=2) from None
        finally:
            tool_host().stop()

    def _list(self, as_json: bool) -> None:
        sources = configured_sources()
        states = _look(sources) if sources else []
        if as_json:
            self.stdout.write(json.dumps(states, ensure_ascii=False, indent=2))
        elif not states:
            self.stdout.write("No source is configured. Add one: ./opspilot source add file:///var/log/shop")
        else:
            self._say([finding_of(state, timezone.now()) for state in states])

    def _check(self, source: Source) -> None:
        states = _look([source])
        self._say([finding_of(state, timezone.now()) for state in states])
        answering = [state for state in states if not state["problem"]]
        known = _services_elsewhere(source)
        for state in answering:
            self.stdout.write("\n".join([*_as_parsed(source, state), *_only_here(state, known)]))
        if not answering:
            raise CommandError(f"{source['name']} cannot be read.", returncode=1)

    def _add(self, url: str, name: str, kind: str) -> None:
        source = _spelled(f"{name}={url}" if name else url)
        if source["name"] in {known["name"] for known in configured_sources()}:
            raise Refused("taken", f"A source is called {source['name']} already; choose another with --name.")
        self._check(source)
        path = settings.BASE_DIR / ".env"
        add_to_list(path, f"OPSPILOT_{kind.upper()}", f"{source['name']}={source['url']}")
        self.stdout.write(f"Added {source['name']} to {path}. A running ./opspilot up reads it when it starts again.")

    def _say(self, findings: list[Finding]) -> None:
        for finding in findings:
            self.stdout.write(
                f"{finding.verdict.glyph} {finding.name.removeprefix('source ')}: {reveal(finding.words)}"
            )
            if finding.hint:
                self.stdout.write(f"  {reveal(finding.hint)}")


def _with(url: str, given: dict[str, str]) -> str:
    """The URL with its zone and with where the secrets stand; they themselves stay in their files."""
    if given and "://" not in url:
        url = Path(url).expanduser().absolute().as_uri()
    return f"{url}{'&' if '?' in url else '?'}{urlencode(given)}" if given else url


def _services_elsewhere(source: Source) -> set[str]:
    """Names that the other configured sources use; empty where there are none to compare with."""
    others = [one for one in configured_sources() if one["name"] != source["name"]]
    return {name for state in (_look(others) if others else []) for name in state["services"]}


def _only_here(state: dict[str, Any], known: set[str]) -> list[str]:
    """Services that no other source knows: often the same service under another name."""
    alone = [name for name in state["services"] if name not in known]
    if not known or not alone:
        return []
    hint = "If one is known elsewhere by another name, say so under services in sources.yaml."
    return [f"    only here: {reveal(', '.join(alone[:SERVICES_SHOWN]))}. {hint}"]


def _named(text: str) -> Source:
    """A configured source by name, else the URL or folder itself."""
    known = {source["name"] for source in configured_sources()}
    is_place = "/" in text or text in (".", "..")
    return _spelled(text) if is_place and text not in known else chosen_sources([text])[0]


def _spelled(text: str) -> Source:
    spec = parse_spec(text)
    return Source(name=spec.name, url=spec.url, env=spec.env, kind=spec.kind)


def _look(sources: list[Source]) -> list[dict[str, Any]]:
    now = timezone.now()
    found = look_at_sources(Run(pk=0, sources=sources, as_of=now), tool_host(), lambda deadline_s: None)
    return list(found["sources"])


def _as_parsed(source: Source, state: dict[str, Any]) -> list[str]:
    """Three rows of one kind as the tools see them: a wrong time zone or a missing service shows here."""
    tool, args, rows = NEWEST[state["kind"]]
    newest = datetime.fromisoformat(state["newest"]) if state["newest"] else timezone.now()
    run = Run(pk=0, sources=[source], as_of=newest)
    result = ask_once(run, tool, {**args, "source": state["name"]}, tool_host()).result
    services = ", ".join(state["services"][:SERVICES_SHOWN]) or "none named"
    more = f" and {len(state['services']) - SERVICES_SHOWN} more" if len(state["services"]) > SERVICES_SHOWN else ""
    lines = [
        f"  {state['kind']}: {reveal(services)}{more}",
        f"    {_reach(state)}{_zone(source)}",
    ]
    shown = rows(result.data) if result.data else [result.summary]
    return lines + [f"    {reveal(_row(row))}" for row in shown[:ROWS_SHOWN]]


def _reach(state: dict[str, Any]) -> str:
    """A service does not say how far back it reaches."""
    return f"from {state['oldest']} to {state['newest']}" if state["oldest"] else f"newest row of {state['newest']}"


def _zone(source: Source) -> str:
    """How times that name no zone were read; a service tells its times with theirs."""
    parts = urlsplit(source["url"])
    if parts.scheme != "file":
        return ""
    written = settings.SOURCES_FILE.options.get(source["name"], {}).get("timezone")
    zone = written or dict(parse_qsl(parts.query)).get("timezone") or "UTC"
    return f"; times that name no zone are read as {zone}"


def _row(row: Any) -> str:
    if isinstance(row, str):
        return row
    return "  ".join(f"{name}={value}" for name, value in row.items() if value not in ("", {}, None))


def _last_points(series: list[dict[str, Any]]) -> list[str]:
    """The newest points of all series, newest first."""
    points = [(at, value, one["id"]) for one in series for at, value in one["points"][-ROWS_SHOWN:]]
    return [f"{name} = {value:g} at {at}" for at, value, name in sorted(points, reverse=True)[:ROWS_SHOWN]]

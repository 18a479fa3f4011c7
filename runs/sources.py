"""The sources that settings name. Opening and reading them is the tools' work."""

from __future__ import annotations

from typing import TypedDict
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from django.conf import settings

from runs.services.errors import Refused


class Source(TypedDict):
    """As it is stored on a run and handed to the tools."""

    name: str
    url: str
    env: str  # "prod", from ?env=prod
    kind: str  # logs, metrics, traces, changes; empty for all that the URL holds


def configured_sources() -> list[Source]:
    """Every configured source, names unique: an unnamed one is called after its kind (`logs`, `logs-2`)."""
    taken: dict[str, Source] = {}
    for kind, pairs in settings.SOURCE_URLS.items():
        for name, url in pairs:
            base, count = name or kind, 1
            while (unique := base if count == 1 else f"{base}-{count}") in taken:
                count += 1
            plain, env = _without_env(url)
            taken[unique] = Source(name=unique, url=plain, env=env, kind="" if kind == "data" else kind)
    return list(taken.values())


def _without_env(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query)
    env = next((value for name, value in pairs if name == "env"), "")
    kept = urlencode([(name, value) for name, value in pairs if name != "env"])
    return (urlunsplit(parts._replace(query=kept)), env) if env else (url, "")


def chosen_sources(names: list[str] | None) -> list[Source]:
    """The named sources, or all of them. Raises Refused that lists the valid names."""
    known = {source["name"]: source for source in configured_sources()}
    if unknown := [name for name in names or [] if name not in known]:
        valid = ", ".join(known) or "none is configured"
        raise Refused("unknown_source", f"No source is called {', '.join(unknown)}. Sources: {valid}.", 400)
    return [known[name] for name in names] if names else list(known.values())

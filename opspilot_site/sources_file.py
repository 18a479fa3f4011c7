"""Reads sources.yaml: sources with token files, certificates, headers, field names, and the map of service names.

Opens no source. Secrets stand in files that are named here; only `headers` could hold one, and it is never shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from django.core.exceptions import ImproperlyConfigured

TEXTS = ("url", "kind", "env", "token_file", "user", "password_file", "api_key_file", "ca_file", "link", "timezone")
MAPS = ("headers", "fields", "services")
PARTS = ("time", "level", "service", "message")  # of `fields`
KINDS = ("logs", "metrics", "traces", "changes")
EVERY = "*"  # whose options hold for every source, those of OPSPILOT_LOGS and the like too


@dataclass(frozen=True, slots=True)
class SourcesFile:
    """`urls` by kind, as the environment gives them; `options` by name."""

    urls: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    options: dict[str, dict[str, Any]] = field(default_factory=dict)


def read_sources_file(path: Path) -> SourcesFile:
    """Empty where there is no such file. Raises ImproperlyConfigured that names the line's place and what is valid."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return SourcesFile()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{path}: {error}") from None
    try:
        raw = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ImproperlyConfigured(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    _refuse_unknown(path, "the file", raw, ("sources", "services"))
    found = SourcesFile()
    for name, entry in _mapping(path, "sources", raw.get("sources") or {}).items():
        _add(found, path, str(name), entry)
    if services := raw.get("services"):
        found.options[EVERY] = {"services": _texts(path, "services", services)}
    return found


def _add(found: SourcesFile, path: Path, name: str, entry: Any) -> None:
    where = f"sources: {name}"
    _refuse_unknown(path, where, entry, (*TEXTS, *MAPS))
    url, kind = str(entry.get("url") or ""), str(entry.get("kind") or "data")
    if not url or not urlsplit(url).scheme:
        raise ImproperlyConfigured(f"{path}, {where}: needs a url, such as loki+https://loki.example.org.")
    if kind not in (*KINDS, "data"):
        raise ImproperlyConfigured(f"{path}, {where}: kind is one of {', '.join(KINDS)}, not {kind!r}.")
    if entry.get("env"):
        url += f"{'&' if '?' in url else '?'}env={entry['env']}"
    fields = _texts(path, f"{where}, fields", entry.get("fields") or {})
    _refuse_unknown(path, f"{where}, fields", fields, PARTS)
    if entry.get("timezone") and not url.startswith("file:"):
        raise ImproperlyConfigured(
            f"{path}, {where}: timezone is for files; a service tells its times with their zone."
        )
    texts = {part: str(entry[part]) for part in TEXTS[3:] if entry.get(part)}
    maps = {part: _texts(path, f"{where}, {part}", entry[part]) for part in MAPS if entry.get(part)}
    found.urls.setdefault(kind, []).append((name, url))
    found.options[name] = texts | maps


def _refuse_unknown(path: Path, where: str, raw: Any, known: tuple[str, ...]) -> None:
    if unknown := set(_mapping(path, where, raw)) - set(known):
        words = ", ".join(sorted(map(str, unknown)))
        raise ImproperlyConfigured(f"{path}, {where}: {words} is not known; known: {', '.join(known)}.")


def _mapping(path: Path, where: str, raw: Any) -> Mapping[Any, Any]:
    if not isinstance(raw, Mapping):
        raise ImproperlyConfigured(f"{path}, {where}: must be a mapping of names, not {type(raw).__name__}.")
    return raw


def _texts(path: Path, where: str, raw: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in _mapping(path, where, raw).items()}

"""Deploys, commits, flags and a status feed in JSON files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from tools.sources.changes.change import Change, ChangeKind
from tools.sources.confined import Fingerprint, Refused, Root
from tools.sources.json_rows import read_json, read_rows
from tools.sources.spec import SourceState, problem_of
from tools.sources.timestamps import from_us, iso_us, read_us
from tools.sources.words import clean, first_of, text_of

MAX_DIFF = 40_000
TIMES = ("timestamp", "time", "at", "ts", "date", "created_at", "deployed_at", "committed_at", "started_at")
SERVICES = ("service", "service_name", "app", "component")
AUTHORS = ("author", "actor", "user", "deployed_by", "by")
COMMITS = ("commit_sha", "commit", "sha", "revision", "git_sha")


def read_deploy(row: dict[str, Any], at_us: int) -> Change:
    service, version = text_of(first_of(row, SERVICES)), text_of(row.get("version"))
    commit = text_of(first_of(row, COMMITS))
    title = f"deploy of {service or 'a service'} {version}".rstrip()
    said = text_of(first_of(row, ("message", "description", "title")))
    text = f"{title}{f' (commit {commit})' if commit else ''}{f': {said}' if said else ''}"
    name = version or commit or iso_us(at_us)
    return Change(f"deploy:{service}:{name}", "deploy", at_us, service, title, _author(row), version, commit, text=text)


def read_commit(row: dict[str, Any], at_us: int) -> Change:
    sha, message = text_of(first_of(row, ("sha", *COMMITS, "id"))), text_of(first_of(row, ("message", "title")))
    files = first_of(row, ("files_changed", "files", "changed_files"))
    names = (
        tuple(text_of(file.get("path") if isinstance(file, dict) else file) for file in files)
        if isinstance(files, list)
        else ()
    )
    diff = row.get("diff") or row.get("patch")
    return Change(
        id=sha or f"commit:{iso_us(at_us)}",
        kind="commit",
        at_us=at_us,
        service=text_of(first_of(row, SERVICES)),
        title=message.split("\n", 1)[0],
        author=_author(row),
        commit=sha,
        files=names,
        diff=clean(diff, MAX_DIFF) if isinstance(diff, str) else "",
        text=message,
    )


def read_flag(row: dict[str, Any], at_us: int) -> Change:
    name = text_of(first_of(row, ("flag", "name", "key")))
    change = text_of(first_of(row, ("change", "action", "value")))
    before, after = text_of(row.get("old")), text_of(row.get("new"))
    how = change or (f"{before}->{after}" if before or after else "changed")
    service = text_of(first_of(row, SERVICES))
    title = f"flag {name} {how}"
    text = f"{title}{f' for {service}' if service else ''}{f' by {_author(row)}' if _author(row) else ''}"
    return Change(f"flag:{name}:{iso_us(at_us)}", "flag", at_us, service, title, _author(row), text=text)


def read_status(row: dict[str, Any], at_us: int) -> Change:
    """An entry of a provider's status feed; its service is the provider's own name for it."""
    status, title = text_of(row.get("status")), text_of(first_of(row, ("title", "name")))
    detail = text_of(first_of(row, ("detail", "description", "message", "body")))
    service = text_of(first_of(row, SERVICES))
    resolved = text_of(row.get("resolved_at"))
    facts = [part for part in (service, text_of(row.get("region")), status, title, detail) if part]
    text = "; ".join([*facts, f"resolved at {resolved}"] if resolved else facts)
    name = text_of(row.get("id")) or iso_us(at_us)
    return Change(f"status:{name}", "status", at_us, service, title or f"status {status}".strip(), text=text)


def _author(row: dict[str, Any]) -> str:
    author = first_of(row, AUTHORS)
    return text_of(author.get("name") if isinstance(author, dict) else author)


@dataclass(frozen=True, slots=True)
class Kept:
    """What one file holds and how it is read."""

    kind: ChangeKind
    keys: tuple[str, ...]
    read: Callable[[dict[str, Any], int], Change]


FILES = {
    "deploys.json": Kept("deploy", ("deploys", "deployments"), read_deploy),
    "commits.json": Kept("commit", ("commits",), read_commit),
    "flags.json": Kept("flag", ("flags", "events"), read_flag),
    "status_feed.json": Kept("status", ("events", "incidents"), read_status),
}


@lru_cache(maxsize=64)
def _read(root: str, file: str, seen: Fingerprint, zone: str) -> tuple[list[Change], int]:
    kept, folder = FILES[file.rsplit("/", 1)[-1]], Root(root)
    rows, skipped = read_rows(folder, file, kept.keys)
    if kept.kind == "status":
        rows = _with_feed_fields(read_json(folder, file), rows)
    times = (read_us(first_of(row, TIMES), ZoneInfo(zone)) for row in rows)
    changes = [kept.read(row, at_us) for row, at_us in zip(rows, times, strict=True) if at_us is not None]
    return changes, skipped + len(rows) - len(changes)


def _with_feed_fields(feed: Any, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """An entry inherits what the feed says once for all of them: component, region."""
    if not isinstance(feed, dict):
        return rows
    shared = {key: feed[key] for key in ("service", "component", "region") if isinstance(feed.get(key), str)}
    return [{**shared, **row} for row in rows]


@dataclass(slots=True)
class FileChanges:
    name: str
    root: Root
    files: list[str]
    zone: str = "UTC"
    notes: list[str] = field(default_factory=list)
    skipped: int = 0

    def changes(self) -> list[Change]:
        """Rising in time. A deploy shows the files and diff of its commit; a commit takes the service it went to."""
        found: list[Change] = []
        self.notes, self.skipped = [], 0
        for file in self.files:
            try:
                changes, skipped = _read(str(self.root.path), file, self.root.fingerprint(file), self.zone)
            except Refused as refusal:
                self.notes.append(str(refusal))
                continue
            found += changes
            self.skipped += skipped
        return sorted(_joined(found), key=lambda change: (change.at_us, change.kind, change.id))

    def state(self) -> SourceState:
        changes = self.changes()
        return SourceState(
            name=self.name,
            kind="changes",
            rows=len(changes),
            oldest=from_us(changes[0].at_us) if changes else None,
            newest=from_us(changes[-1].at_us) if changes else None,
            services=sorted({change.service for change in changes if change.service and change.kind != "status"}),
            problem=problem_of(len(changes), self.notes, self.skipped, "a time", self.files),
            skipped=self.skipped,
            notes=tuple(self.notes),
        )


def _joined(changes: list[Change]) -> list[Change]:
    commits = {change.commit: change for change in changes if change.kind == "commit" and change.commit}
    went_to = {change.commit: change.service for change in reversed(changes) if change.kind == "deploy"}
    return [_with_other_half(change, commits, went_to) for change in changes]


def _with_other_half(change: Change, commits: dict[str, Change], went_to: dict[str, str]) -> Change:
    if change.kind == "deploy" and (commit := commits.get(change.commit)):
        return replace(change, files=commit.files, diff=commit.diff, text=f"{change.text}: {commit.title}")
    if change.kind == "commit" and not change.service:
        return replace(change, service=went_to.get(change.commit, ""))
    return change

"""A telemetry folder: finds what it holds and gives each part to its back end. Reads only alert and patterns itself."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.sources.changes.files import FILES as CHANGE_FILES
from tools.sources.changes.files import FileChanges
from tools.sources.confined import Refused, Root
from tools.sources.json_rows import read_json, read_rows
from tools.sources.logs.files import NAME as LOG_NAME
from tools.sources.logs.files import FileLogs
from tools.sources.metrics.calls import names_calls
from tools.sources.metrics.files import NAME as METRIC_NAME
from tools.sources.metrics.files import FileMetrics
from tools.sources.runbooks import FOLDER as RUNBOOKS
from tools.sources.spec import Kind
from tools.sources.traces.files import NAME as TRACE_NAME
from tools.sources.traces.files import FileTraces
from tools.sources.words import clean_value, first_of, text_of

BASELINE = "baseline"
LOOKED_FOR = (
    "*.log, *.out, *.jsonl or *.ndjson (also .gz, .zst), metrics*.csv or metrics*.parquet, traces.json, topology.csv, "
    "context/deploys.json, context/commits.json, context/flags.json, status_feed.json, here or one folder down; "
    "runbooks/*.md"
)


@dataclass(frozen=True, slots=True)
class KnownPattern:
    """One row of patterns.json: a log signature that another system has counted against its baseline."""

    signature: str
    service: str
    count: int
    delta: int | None


@dataclass(slots=True)
class Folder:
    """What was found in one folder or file. A kind whose list is empty is not there."""

    name: str
    root: Root
    logs: list[str] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    topology: str = ""
    zone: str = "UTC"  # of times that name none
    patterns_file: str = ""
    alert_file: str = ""

    def kinds(self) -> set[Kind]:
        there: dict[Kind, bool] = {
            "logs": bool(self.logs or self.patterns_file),
            "metrics": bool(self.metrics),
            "traces": bool(self.traces or self.topology or self.call_tables()),
            "changes": bool(self.changes),
        }
        return {kind for kind, is_there in there.items() if is_there}

    def call_tables(self) -> list[str]:
        """Metrics whose rows name both ends of a call."""
        return [file for file in self.metrics if names_calls(self.root, file)]

    def open_logs(self) -> FileLogs:
        return FileLogs(self.name, self.root, self.logs, self.zone)

    def open_metrics(self) -> FileMetrics:
        return FileMetrics(self.name, self.root, self.metrics, self.zone)

    def open_traces(self) -> FileTraces:
        return FileTraces(self.name, self.root, self.traces, self.topology, self.call_tables(), self.zone)

    def open_changes(self) -> FileChanges:
        return FileChanges(self.name, self.root, self.changes, self.zone)

    def alert(self) -> dict[str, Any]:
        """alert.json as it stands; {} where there is none that can be read."""
        try:
            value = read_json(self.root, self.alert_file) if self.alert_file else {}
        except Refused:
            return {}
        value = value[0] if isinstance(value, list) and value else value
        return clean_value(value) if isinstance(value, dict) else {}

    def patterns(self) -> list[KnownPattern]:
        try:
            rows = read_rows(self.root, self.patterns_file, ("patterns",))[0] if self.patterns_file else []
        except Refused:
            return []
        found = [_pattern(row) for row in rows]
        return [pattern for pattern in found if pattern.signature]


def open_path(name: str, path: Path, zone: str = "UTC") -> Folder:
    """A folder, or a single file. Raises Refused in words when nothing is there to be read."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise Refused(f"{path}: {error.strerror or error}") from None
    if stat.S_ISDIR(mode):
        return _explore(name, path, zone)
    if not stat.S_ISREG(mode):
        raise Refused(f"{path}: not a regular file or folder (a pipe, socket or device)")
    real = path.resolve()
    folder = Folder(name, Root(real.parent), zone=zone)
    _sort_in(folder, real.name)
    if not folder.kinds():
        folder.logs.append(real.name)  # whatever its name, a single file is taken for a log
    if folder.logs:
        folder.logs += _rotated(folder.root, real.name)
    return folder


def _rotated(root: Root, name: str) -> list[str]:
    """What was made of that log: app.log.1, app.log.2.gz, app.log-20260301.zst, app.2026-03-01.log."""
    stem, dot, suffix = name.rpartition(".")
    inner = rf"|{re.escape(stem)}[.-]\d{{4}}-?\d\d-?\d\d[\d._-]*\.{re.escape(suffix)}" if dot else ""
    neighbour = re.compile(rf"(?:{re.escape(name)}[.-]\d[\d._-]{{0,24}}{inner})(?:\.gz|\.zst)?\Z")
    try:
        return [one for one in root.names() if neighbour.match(one)]
    except Refused:
        return []


def baseline_of(folder: Folder) -> Folder | None:
    """The folder `baseline/` in it, the same from a quiet time."""
    if not folder.root.is_folder(BASELINE):
        return None
    try:
        return _explore(f"{folder.name}-{BASELINE}", folder.root.path / BASELINE, folder.zone)
    except Refused:
        return None


def _explore(name: str, path: Path, zone: str) -> Folder:
    folder = Folder(name, Root(path), zone=zone)
    seen = {folder.root.path}  # a link back to a folder that was explored would count its rows twice
    for entry in folder.root.names():
        if entry != BASELINE and folder.root.is_folder(entry):
            if (real := (folder.root.path / entry).resolve()) in seen:
                continue
            seen.add(real)
            for inner in _names_in(folder.root, entry):
                _sort_in(folder, f"{entry}/{inner}")
        else:
            _sort_in(folder, entry)
    if not folder.kinds() and not folder.root.is_folder(RUNBOOKS):
        raise Refused(f"{folder.root.path} holds no telemetry. Looked for {LOOKED_FOR}.")
    return folder


def _names_in(root: Root, entry: str) -> list[str]:
    try:
        return root.names(entry)
    except Refused:
        return []


def _sort_in(folder: Folder, file: str) -> None:
    """Puts a file where its name says that it belongs. Trace files may end like logs, so they come first."""
    name = file.rsplit("/", 1)[-1]
    if TRACE_NAME.match(name):
        folder.traces.append(file)
    elif METRIC_NAME.match(name):
        folder.metrics.append(file)
    elif LOG_NAME.match(name):
        folder.logs.append(file)
    elif name in CHANGE_FILES:
        folder.changes.append(file)
    elif name == "topology.csv":
        folder.topology = file
    elif name == "patterns.json":
        folder.patterns_file = file
    elif name == "alert.json":
        folder.alert_file = file


def _pattern(row: dict[str, Any]) -> KnownPattern:
    return KnownPattern(
        signature=text_of(first_of(row, ("signature", "pattern", "template"))),
        service=text_of(first_of(row, ("service", "service_name", "app"))),
        count=_integer(row.get("count")) or 0,
        delta=_integer(first_of(row, ("delta_vs_baseline", "delta"))),
    )


def _integer(value: Any) -> int | None:
    """3120 of 3120, 3120.0, "+3120" and "3,120"."""
    try:
        return int(float(str(value).replace(",", "")))
    except (ValueError, OverflowError):
        return None

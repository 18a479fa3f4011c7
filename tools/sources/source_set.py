"""The sources of one run: opens specs by URL, finds a source by name and kind, says what each holds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit
from zoneinfo import ZoneInfo

from tools.base import ToolError
from tools.sources.backends import OPENERS, Store
from tools.sources.changes.change import ChangeSource
from tools.sources.confined import Refused, Root
from tools.sources.folder import Folder, KnownPattern, baseline_of, open_path
from tools.sources.logs.search import LogSource
from tools.sources.metrics.query import MetricSource
from tools.sources.renamed import Names, RenamedFolder
from tools.sources.runbooks import Runbook, read_runbooks
from tools.sources.spec import KINDS, Kind, SourceSpec, SourceState
from tools.sources.timestamps import read_time
from tools.sources.traces.span import TraceSource
from tools.sources.words import first_of

ALERT_TIMES = ("fired_at", "startsAt", "started_at", "triggered_at", "timestamp", "time", "at")


@dataclass(frozen=True, slots=True)
class Opened:
    """A spec and what stands behind it; `problem` says why nothing does."""

    spec: SourceSpec
    store: Store | None
    problem: str = ""
    is_baseline: bool = False

    @property
    def name(self) -> str:
        return self.store.name if self.store else self.spec.name

    def kinds(self) -> set[Kind]:
        held = self.store.kinds() if self.store else set()
        return {kind for kind in held if self.spec.kind in ("", kind)}


def parse_spec(text: str, kind: Kind | str = "") -> SourceSpec:
    """`[name=]URL` or, without a scheme, `[name=]PATH`. Raises ToolError in words."""
    name, _, rest = text.partition("=") if re.match(r"[\w.-]+=", text) else ("", "", text)
    url = rest if "://" in rest else Path(rest).expanduser().absolute().as_uri()
    parts = urlsplit(url)
    last = Path(unquote(parts.path)).name or (parts.hostname or "")
    name = name or re.sub(r"[^\w.-]+", "-", last).strip("-.") or "source"
    if kind not in ("", *KINDS):
        raise ToolError(f"{kind!r} is not a kind of source. Kinds: {', '.join(KINDS)}.")
    return SourceSpec(name, url, parse_qs(parts.query).get("env", [""])[0], kind)  # type: ignore[arg-type]


class SourceSet:
    """The sources of one run, opened when they are asked.

    A broken source never keeps the others from answering; asked by name, it says what is wrong. The folder
    `baseline/` of a source is a source of its own, "<name>-baseline", asked only by that name.
    """

    def __init__(self, specs: Iterable[SourceSpec]):
        self.specs = list(specs)

    @property
    def opened(self) -> list[Opened]:
        """Looked up each time: a folder may get new files while a process lives. What a file holds is kept.

        A service is not asked yet: it answers when a source of it is.
        """
        found = [_open(spec) for spec in self.specs]
        return found + [quiet for one in found if (quiet := _baseline(one))]

    def names(self) -> list[str]:
        return sorted({one.name for one in self.opened})

    def baselines(self, kind: Kind) -> list[str]:
        """Names of the sources that hold a quiet time of this kind."""
        return [one.name for one in self.opened if one.is_baseline and kind in one.kinds()]

    def kinds(self) -> set[Kind]:
        """Kinds that at least one source can answer for."""
        return {kind for one in self.opened if not one.is_baseline for kind in one.kinds()}

    def problems(self) -> list[str]:
        return [one.problem for one in self.opened if one.problem]

    def logs(self, name: str = "") -> list[LogSource]:
        return [store.open_logs() for store in self._holding("logs", name)]

    def metrics(self, name: str = "") -> list[MetricSource]:
        return [store.open_metrics() for store in self._holding("metrics", name)]

    def traces(self, name: str = "") -> list[TraceSource]:
        return [store.open_traces() for store in self._holding("traces", name)]

    def changes(self, name: str = "") -> list[ChangeSource]:
        return [store.open_changes() for store in self._holding("changes", name)]

    def patterns(self, name: str = "") -> list[KnownPattern]:
        """Rows of patterns.json, largest growth first."""
        found = [pattern for store in self._holding("logs", name) for pattern in store.patterns()]
        return sorted(found, key=lambda pattern: (-abs(pattern.delta or 0), pattern.service, pattern.signature))

    def runbooks(self) -> list[Runbook]:
        """Of the folders among the sources, by name."""
        paths = [Path(unquote(parts.path)) for spec in self.specs if (parts := urlsplit(spec.url)).scheme == "file"]
        return [one for path in dict.fromkeys(paths) if path.is_dir() for one in read_runbooks(Root(path))]

    def alert(self) -> dict[str, Any]:
        """The first alert.json of the sources; {} where there is none."""
        alerts = (one.store.alert() for one in self.opened if one.store and not one.is_baseline)
        return next((alert for alert in alerts if alert), {})

    def alert_at(self) -> datetime | None:
        """When that alert fired: the focus of the incident window."""
        return read_time(first_of(self.alert(), ALERT_TIMES))

    @property
    def _states(self) -> list[tuple[Opened, SourceState]]:
        # Side by side: a service that is down may take seconds to show it, and others need not wait for that.
        opened = self.opened
        with ThreadPoolExecutor(max_workers=8) as pool:
            found = zip(opened, pool.map(_states_of, opened), strict=True)
            return [(one, state) for one, states in found for state in states]

    def states(self) -> list[SourceState]:
        """One state for each kind of each source; reads the files once."""
        return [state for _, state in self._states]

    def services(self) -> list[str]:
        return sorted({name for one, state in self._states if not one.is_baseline for name in state.services})

    def newest(self) -> datetime | None:
        """The newest row of logs, metrics and traces, baselines apart: as-of for a run over folders.

        Changes count only where there is nothing else: a repository goes on long after a dump was taken, and a
        "now" hours behind the telemetry would make every recent range empty.
        """
        states = [state for one, state in self._states if state.newest and not one.is_baseline]
        telemetry = [state.newest for state in states if state.kind != "changes" and state.newest]
        return max(telemetry or [state.newest for state in states if state.newest], default=None)

    def _holding(self, kind: Kind, name: str) -> list[Store]:
        """Stores that hold this kind, all but baselines or those of that name. Raises ToolError in words."""
        asked = [one for one in self.opened if (one.name == name if name else not one.is_baseline)]
        if name and not asked:
            raise ToolError(f"There is no source {name!r}. Sources: {', '.join(self.names()) or 'none is set'}.")
        found = [one.store for one in asked if one.store and kind in one.kinds()]
        if found:
            return found
        if problems := [one.problem for one in asked if one.problem]:
            raise ToolError(f"No {kind} can be read: {'; '.join(problems)}")
        others = [one.name for one in self.opened if kind in one.kinds()]
        where = f"Source {name!r} holds" if name else "The sources hold"
        raise ToolError(f"{where} no {kind}. Sources with {kind}: {', '.join(others) or 'none'}.")


def _baseline(one: Opened) -> Opened | None:
    """The folder `baseline/` of a source, under the same names."""
    renamed = one.store if isinstance(one.store, RenamedFolder) else None
    folder = renamed.folder if renamed else one.store
    quiet = baseline_of(folder) if isinstance(folder, Folder) else None
    if quiet is None:
        return None
    return Opened(one.spec, RenamedFolder(quiet, renamed.names) if renamed else quiet, is_baseline=True)


def _open(spec: SourceSpec) -> Opened:
    parts = urlsplit(spec.url)
    try:
        if opener := OPENERS.get(parts.scheme):
            return Opened(spec, opener(spec))
        if parts.scheme == "file":
            return Opened(spec, _folder(spec, _local_path(parts.netloc, parts.path)))
    except Refused as refusal:
        return Opened(spec, None, f"{spec.name}: {refusal}")
    known = ", ".join(f"{scheme}://" for scheme in ("file", *sorted(OPENERS)))
    words = f"cannot open {parts.scheme}://; known: {known}" if parts.scheme else f"write file://{spec.url}"
    return Opened(spec, None, f"{spec.name}: {words}")


def _folder(spec: SourceSpec, path: Path) -> Store:
    given = dict(parse_qsl(urlsplit(spec.url).query))
    if unknown := set(given) - {"timezone", "env"}:
        raise Refused(f"its URL says {', '.join(sorted(unknown))}; it may say timezone, env")
    zone = spec.options.timezone or given.get("timezone") or "UTC"
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise Refused(f"{zone!r} is no time zone; write it as Europe/Berlin") from None
    folder = open_path(spec.name, path, zone)
    return RenamedFolder(folder, Names(dict(spec.options.services))) if spec.options.services else folder


def _local_path(netloc: str, path: str) -> Path:
    if netloc not in ("", "localhost"):
        raise Refused(f"a local path needs three slashes, file:///{netloc}{path}")
    return Path(unquote(path))


def _states_of(one: Opened) -> list[SourceState]:
    if one.store is None:
        return [SourceState(one.spec.name, one.spec.kind or "logs", None, None, None, (), one.problem)]
    return [_source(one.store, kind).state() for kind in KINDS if kind in one.kinds()]


def _source(store: Store, kind: Kind) -> LogSource | MetricSource | TraceSource | ChangeSource:
    match kind:
        case "logs":
            return store.open_logs()
        case "metrics":
            return store.open_metrics()
        case "traces":
            return store.open_traces()
        case "changes":
            return store.open_changes()

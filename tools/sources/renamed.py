"""A folder's sources under the names of services that everybody else uses (`services` in sources.yaml)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tools.sources.changes.change import Change, ChangeSource
from tools.sources.folder import Folder, KnownPattern
from tools.sources.logs.search import LogHits, LogQuery, LogSource
from tools.sources.metrics.query import EVERYTHING, MetricQuery, MetricSource, Series
from tools.sources.spec import Kind, SourceState
from tools.sources.traces.span import Span, TraceSource


@dataclass(frozen=True, slots=True)
class Names:
    """The file's name of a service → the common one."""

    known: Mapping[str, str]

    def __call__(self, service: str) -> str:
        return self.known.get(service, service)

    def of(self, service: str) -> list[str]:
        return [theirs for theirs, ours in self.known.items() if ours == service] or [service]

    def state(self, state: SourceState) -> SourceState:
        return replace(state, services=sorted({self(name) for name in state.services}))


@dataclass(slots=True)
class RenamedFolder:
    folder: Folder
    names: Names

    @property
    def name(self) -> str:
        return self.folder.name

    def kinds(self) -> set[Kind]:
        return self.folder.kinds()

    def open_logs(self) -> LogSource:
        return RenamedLogs(self.folder.name, self.folder.open_logs(), self.names)

    def open_metrics(self) -> MetricSource:
        return RenamedMetrics(self.folder.name, self.folder.open_metrics(), self.names)

    def open_traces(self) -> TraceSource:
        return RenamedTraces(self.folder.name, self.folder.open_traces(), self.names)

    def open_changes(self) -> ChangeSource:
        return RenamedChanges(self.folder.name, self.folder.open_changes(), self.names)

    def alert(self) -> dict[str, Any]:
        alert = self.folder.alert()
        return alert | {"service": self.names(alert["service"])} if isinstance(alert.get("service"), str) else alert

    def patterns(self) -> list[KnownPattern]:
        return [replace(one, service=self.names(one.service)) for one in self.folder.patterns()]


@dataclass(slots=True)
class RenamedLogs:
    name: str
    inner: LogSource
    names: Names

    def state(self) -> SourceState:
        return self.names.state(self.inner.state())

    def search(self, query: LogQuery) -> LogHits:
        hits = LogHits()
        for service in self.names.of(query.service) if query.service else [""]:
            hits.add(self.inner.search(replace(query, service=service)), query.limit)
        services: Counter[str] = Counter()
        for service, count in hits.services.items():
            services[self.names(service)] += count
        renamed = LogHits()
        for (service, template), found in hits.templates.items():
            one = replace(found, service=self.names(service))
            renamed.add(LogHits(templates={(one.service, template): one}), 0)
        hits.services, hits.templates = services, renamed.templates
        hits.newest = [replace(entry, service=self.names(entry.service)) for entry in hits.newest]
        return hits


@dataclass(slots=True)
class RenamedMetrics:
    name: str
    inner: MetricSource
    names_of: Names

    @property
    def notes(self) -> Sequence[str]:
        return self.inner.notes

    def state(self) -> SourceState:
        return self.names_of.state(self.inner.state())

    def names(self) -> list[str]:
        return self.inner.names()

    def series(self, query: MetricQuery = EVERYTHING) -> list[Series]:
        every = self.inner.series(replace(query, service=""))
        renamed = [replace(one, service=self.names_of(one.service)) for one in every]
        return [one for one in renamed if query.wants_service(one.service)]


@dataclass(slots=True)
class RenamedTraces:
    name: str
    inner: TraceSource
    names: Names

    def state(self) -> SourceState:
        return self.names.state(self.inner.state())

    def spans(self, since_us: int, until_us: int) -> list[Span]:
        spans = self.inner.spans(since_us, until_us)
        return [replace(span, service=self.names(span.service), peer=self.names(span.peer)) for span in spans]

    def topology(self) -> list[tuple[str, str]]:
        return sorted({(self.names(caller), self.names(callee)) for caller, callee in self.inner.topology()})


@dataclass(slots=True)
class RenamedChanges:
    name: str
    inner: ChangeSource
    names: Names

    def state(self) -> SourceState:
        return self.names.state(self.inner.state())

    def changes(self) -> list[Change]:
        return [replace(one, service=self.names(one.service)) for one in self.inner.changes()]

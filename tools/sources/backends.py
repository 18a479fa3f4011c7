"""Which back end opens which URL. One line a scheme; the back ends know nothing of each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from tools.sources.changes.change import ChangeSource
from tools.sources.changes.git import open_repository
from tools.sources.logs.elasticsearch import Elasticsearch
from tools.sources.logs.loki import Loki
from tools.sources.logs.search import LogSource
from tools.sources.metrics.prometheus import Prometheus
from tools.sources.metrics.query import MetricSource
from tools.sources.remote import RemoteStore, connect
from tools.sources.spec import Kind, SourceSpec
from tools.sources.traces.service_graph import ServiceGraph
from tools.sources.traces.span import TraceSource


class Store(Protocol):
    """What stands behind one spec: a folder with several kinds, or a service with one."""

    @property
    def name(self) -> str: ...

    def kinds(self) -> set[Kind]: ...

    def open_logs(self) -> LogSource: ...

    def open_metrics(self) -> MetricSource: ...

    def open_traces(self) -> TraceSource: ...

    def open_changes(self) -> ChangeSource: ...

    def alert(self) -> dict[str, Any]: ...

    def patterns(self) -> list[Any]: ...


def _prometheus(spec: SourceSpec) -> Store:
    """With `kind: traces`, the calls between services that it counts."""
    spec, client = connect(spec, "Prometheus")
    if spec.kind == "traces":
        return RemoteStore(spec.name, "traces", ServiceGraph(spec, "traces", "Prometheus", client))
    return RemoteStore(spec.name, "metrics", Prometheus(spec, "metrics", "Prometheus", client))


def _loki(spec: SourceSpec) -> Store:
    spec, client = connect(spec, "Loki")
    return RemoteStore(spec.name, "logs", Loki(spec, "logs", "Loki", client))


def _elasticsearch(spec: SourceSpec) -> Store:
    """The last part of the path is the index: elasticsearch+https://es:9200/logs-*."""
    spec, client = connect(spec, "Elasticsearch")
    base, _, index = client.place.path.rpartition("/")
    client.place = replace(client.place, path=base)
    return RemoteStore(spec.name, "logs", Elasticsearch(spec, "logs", "Elasticsearch", client, index=index or "*"))


def _git(spec: SourceSpec) -> Store:
    return RemoteStore(spec.name, "changes", open_repository(spec))


OPENERS: dict[str, Callable[[SourceSpec], Store]] = {
    "git": _git,
    "git+file": _git,
    **{
        f"{product}+{scheme}": opener
        for products, opener in (
            (("prometheus", "victoriametrics"), _prometheus),
            (("loki",), _loki),
            (("elasticsearch", "opensearch"), _elasticsearch),
        )
        for product in products
        for scheme in ("http", "https")
    },
}

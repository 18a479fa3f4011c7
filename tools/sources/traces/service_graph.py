"""Who calls whom, from metrics that a tracing pipeline or a mesh counts; no spans. For `kind: traces` of a Prometheus.

Metrics: traces_service_graph_request_total (Tempo, the OpenTelemetry connector), istio_requests_total (Istio),
response_total (Linkerd).
"""

from __future__ import annotations

from dataclasses import dataclass

from tools.sources.metrics.prometheus import QUERY_TIMEOUT, Prometheus
from tools.sources.remote import Seen, guarded
from tools.sources.traces.span import Span
from tools.sources.words import clean
from tools.web.client import NotAnswered

GRAPHS = (  # metric, label of the caller, label of the callee
    ("traces_service_graph_request_total", "client", "server"),
    ("istio_requests_total", "source_workload", "destination_workload"),
    ("response_total", "deployment", "dst_deployment"),
)
WINDOW = "1h"  # a call of the last hour is still an edge


@dataclass
class ServiceGraph(Prometheus):
    def look(self) -> Seen:
        newest = super().look().newest
        edges = self._edges()
        if not edges:
            known = ", ".join(metric for metric, _, _ in GRAPHS)
            raise NotAnswered(f"{self.client.who} counts no calls between services: it has none of {known}.")
        return Seen(newest, sorted({name for edge in edges for name in edge}))

    def spans(self, since_us: int, until_us: int) -> list[Span]:
        return []

    @guarded
    def topology(self) -> list[tuple[str, str]]:
        return sorted({(self.known_as(caller), self.known_as(callee)) for caller, callee in self._edges()})

    def _edges(self) -> set[tuple[str, str]]:
        found = set()
        for metric, caller, callee in GRAPHS:
            query = f"count by ({caller}, {callee}) (last_over_time({metric}[{WINDOW}]))"
            answer = self._data(self.client.post("/api/v1/query", form={"query": query, "timeout": QUERY_TIMEOUT}))
            for row in answer["result"]:
                pair = (clean(str(row["metric"].get(caller, "")), 200), clean(str(row["metric"].get(callee, "")), 200))
                if all(pair) and "unknown" not in pair:
                    found.add(pair)
        return found

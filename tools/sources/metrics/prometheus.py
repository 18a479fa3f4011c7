"""Metrics of Prometheus and of what speaks its HTTP API (VictoriaMetrics, Mimir, Thanos).

API: https://prometheus.io/docs/prometheus/latest/querying/api/. A look-up by name finds the metrics, sorts them by
type, and reads them in few queries: gauges as they are, counters as rates, histograms as quantiles.
"""

from __future__ import annotations

import fnmatch
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray

from tools.sources.metrics.counters import quantile, rate
from tools.sources.metrics.query import EVERYTHING, FOREVER_US, MetricQuery, Series
from tools.sources.remote import Remote, Seen, guarded, moment_of
from tools.sources.timestamps import from_us
from tools.sources.words import clean
from tools.web.client import NotAnswered, Params

SERVICES = ("service", "service_name", "app", "app_kubernetes_io_name", "job")  # the first that a series has names it
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
MAX_SERIES = 400  # read for one question
MAX_NAMES = 2_000
MAX_HISTOGRAMS = 12  # each is a query of its own
MAX_POINTS = 80_000
MAX_POINTS_A_SERIES = 10_000  # Prometheus itself refuses more than 11,000
QUERY_TIMEOUT = "10s"
TARGET_LABELS = ("instance", "job", "endpoint", "prometheus", "prometheus_replica")
LAST_HOUR_US = 3_600_000_000
# What client libraries report of themselves: read last where not everything can be read.
_OWN = re.compile(r"(?:go|process|python|jvm|nodejs|promhttp|prometheus|scrape|net_conntrack|vm|flag)_")
Role = Literal["gauge", "counter", "histogram"]


@dataclass
class Prometheus(Remote):
    """Samples of a server, at a step that keeps the answer small."""

    _step_s: int = field(default=60, init=False)

    # What there is ---------------------------------------------------------------------------------------------------
    def look(self) -> Seen:
        now = self._seconds("scalar(vector(time()))")
        newest = self._seconds("max(timestamp(up))") or self._newest_at_all()
        found = [name for label in self.service_labels for name in self._values(label)]
        return Seen(moment_of(min(newest, now or newest)) if newest else None, found)

    def names(self) -> list[str]:
        return self._values("__name__")

    @cached_property
    def service_labels(self) -> list[str]:
        """Those labels that can name a service and that this server has."""
        wanted = (own,) if (own := self.options.named("service")) else SERVICES
        there = self.kept("labels", lambda: set(self._data(self.client.get("/api/v1/labels"))))
        return [label for label in wanted if label in there]

    def _values(self, label: str, **narrowed: Any) -> list[str]:
        return [str(value) for value in self._data(self.client.get(f"/api/v1/label/{label}/values", narrowed))]

    def _newest_at_all(self) -> float:
        """Without an `up`, or with one that ended: the newest sample of a few metrics, in the last day."""
        names = [name for name in self.names() if not _OWN.match(name)][:20]
        if not names:
            return 0.0
        selector = f"{{__name__=~{_quoted('|'.join(map(_escaped, names)))}}}"
        return self._seconds(f"max(timestamp({selector}))") or self._seconds(
            f"max(max_over_time(timestamp({selector})[1d:5m]))"
        )

    def _seconds(self, expression: str) -> float:
        result = self._data(self.client.post("/api/v1/query", form={"query": expression, "timeout": QUERY_TIMEOUT}))
        if result["resultType"] == "scalar":
            return float(result["result"][1])
        return float(result["result"][0]["value"][1]) if result["result"] else 0.0

    def _data(self, answer: Any) -> Any:
        if answer["status"] != "success":
            raise NotAnswered(f"{self.client.who}: {clean(str(answer.get('error', answer['status'])), 300)}")
        self.notes += [clean(str(warning), 300) for warning in (answer.get("warnings") or [])[:3]]
        return answer["data"]

    # A question ------------------------------------------------------------------------------------------------------
    @guarded
    def series(self, query: MetricQuery = EVERYTHING) -> list[Series]:
        self.notes.clear()
        if query.expression:
            return self._expression(query)
        names = self._names_wanted(query)
        if not names:
            return []
        chosen = self._chosen(names, query)
        found = [*self._plain(chosen, query), *self._histograms(chosen, query)]
        asked = {one for name in chosen for one in self._asked_of(name, query.name.lower() or "*")}
        kept = [one for one in found if one.name in asked and query.wants_service(one.service)]
        return sorted(_without_target(kept), key=lambda one: one.id)

    def _asked_of(self, name: str, glob: str) -> list[str]:
        """Of a histogram that was asked for as p99(…), only that."""
        called = self._called(name)
        return [one for one in called if fnmatch.fnmatchcase(one.lower(), glob)] or called

    def _expression(self, query: MetricQuery) -> list[Series]:
        """The planner's own PromQL; a series without a name is called by the expression."""
        step_s = self._step(query, 40)
        rows = self._range(query.expression, query, step_s)
        widened = self._step(query, len(rows))
        if widened > step_s:
            rows, step_s = self._range(query.expression, query, widened), widened
        if len(rows) > MAX_SERIES:
            self.notes.append(f"{len(rows):,} series, of which the first {MAX_SERIES} are kept: aggregate")
        return sorted((self._series(row, query.expression) for row in rows[:MAX_SERIES]), key=lambda one: one.id)

    def _names_wanted(self, query: MetricQuery) -> list[str]:
        """Names that the glob hits, as they are or as they will be called."""
        narrowed = {"start": query.since_us / 1e6, "end": query.until_us / 1e6} if query.since_us else {}
        selectors = self._selectors("", query.service)
        every = self._values("__name__", **narrowed, **({"match[]": selectors} if selectors else {}))
        found = [name for name in every if self._is_wanted(name, query.name.lower() or "*")]
        if len(found) > MAX_NAMES:
            self.notes.append(f"{len(found):,} metrics, of which the first {MAX_NAMES:,} were considered")
        return found[:MAX_NAMES]

    def _is_wanted(self, name: str, glob: str) -> bool:
        if glob == "*":
            return not name.startswith("scrape_")  # Prometheus' own account of its visits
        known_as = [name, _base(name), *self._called(name)]
        return any(fnmatch.fnmatchcase(one.lower(), glob) for one in known_as)

    def _called(self, name: str) -> list[str]:
        """What the series of that metric are called in an answer."""
        role = self.role(name)
        if role == "histogram":
            return [f"{word}({_base(name)})" for word in QUANTILES]
        return [f"rate({name})"] if role == "counter" else [name]

    def _chosen(self, names: Sequence[str], query: MetricQuery) -> list[str]:
        """As many metrics as the cap of series allows: small ones first, a library's own last, whole histograms."""
        counted = self._union(names, query.service, "count by (__name__) ({})")
        form: Params = {"query": counted, "time": _bounded(query)[1] / 1e6, "timeout": QUERY_TIMEOUT}
        rows = self._data(self.client.post("/api/v1/query", form=form))
        sizes = {row["metric"].get("__name__", ""): int(float(row["value"][1])) for row in rows["result"]}
        chosen: list[str] = []
        room, histograms = MAX_SERIES, 0
        for name in sorted(names, key=lambda name: (bool(_OWN.match(name)), sizes.get(name, 1), name)):
            is_histogram = self.role(name) == "histogram"
            size = len(QUANTILES) if is_histogram else sizes.get(name, 1)
            if (chosen and size > room) or (is_histogram and histograms >= MAX_HISTOGRAMS):
                continue
            chosen.append(name)
            room, histograms = room - size, histograms + is_histogram
        if len(chosen) < len(names):
            self.notes.append(
                f"{self.name}: {len(chosen):,} of {len(names):,} metrics were read; narrow name or service for others"
            )
        return chosen

    def _plain(self, chosen: Sequence[str], query: MetricQuery) -> Iterator[Series]:
        """Gauges as they are and counters as rates, in one query: the differences are taken here."""
        names = [name for name in chosen if self.role(name) != "histogram"]
        if not names:
            return
        step_s = self._step(query, len(names) * 4)
        window_s = max(step_s, 2 * self.scrape_s)
        expression = self._union(names, query.service, "{}")
        rows = self._range(expression, query, step_s, before_s=window_s + step_s)
        if len(rows) > MAX_SERIES:
            self.notes.append(f"{self.name}: {len(rows):,} series, of which {MAX_SERIES} are kept: name a service")
        for row in rows[:MAX_SERIES]:
            one = self._series(row)
            if self.role(one.name) != "counter":
                yield one.between(query.since_us, query.until_us)
                continue
            times, values = rate(one.times, one.values, window_s * 1_000_000)
            per_second = Series(one.service, f"rate({one.name})", times, values, one.labels, "1/s")
            yield per_second.between(query.since_us, query.until_us)

    def _histograms(self, chosen: Sequence[str], query: MetricQuery) -> Iterator[Series]:
        """Each histogram by service and bucket, and the quantiles of that."""
        for name in chosen:
            if self.role(name) == "histogram":
                step_s = self._step(query, 20)
                window_s = max(step_s, 4 * self.scrape_s)
                labels = ", ".join(["le", *self.service_labels])
                inner = self._union([name], query.service, f"rate({{}}[{window_s}s])")
                rows = self._range(f"sum by ({labels}) ({inner})", query, step_s)
                yield from self._quantiles(_base(name), rows)

    def _quantiles(self, name: str, rows: Iterable[Mapping[str, Any]]) -> Iterator[Series]:
        services: dict[str, dict[float, Mapping[str, Any]]] = {}
        for row in rows:
            bound = float(row["metric"].get("le", "nan").replace("Inf", "inf"))
            if not math.isnan(bound):
                services.setdefault(self._service(row["metric"]), {})[bound] = row
        for service, buckets in services.items():
            bounds = np.array(sorted(buckets))
            times, counts = _grid([buckets[bound] for bound in bounds.tolist()])
            if len(bounds) < 2 or not math.isinf(bounds[-1]):
                continue
            for word, share in QUANTILES.items():
                values = quantile(share, bounds, counts)
                good = np.isfinite(values)
                unit = "s" if name.endswith("_seconds") else ""
                yield Series(service, f"{word}({name})", times[good], values[good], {}, unit)

    # What a metric is ------------------------------------------------------------------------------------------------
    def role(self, name: str) -> Role:
        kind = self._types.get(name) or self._types.get(_base(name), "")
        if name.endswith("_bucket"):
            return "histogram" if kind in ("histogram", "unknown", "untyped", "") else "gauge"
        if kind in ("counter", "histogram", "summary"):
            is_part = name.endswith(("_count", "_sum", "_total"))
            return "counter" if kind == "counter" or is_part else "gauge"
        return "counter" if name.endswith("_total") else "gauge"

    @cached_property
    def _types(self) -> dict[str, str]:
        """Type of each metric, where the server knows any: what was back-filled has none."""
        return self.kept("types", self._ask_types)

    def _ask_types(self) -> dict[str, str]:
        try:
            known = self._data(self.client.get("/api/v1/metadata"))
            return {name: str(rows[0].get("type", "")) for name, rows in known.items() if rows}
        except NotAnswered:
            return {}

    @cached_property
    def scrape_s(self) -> int:
        """How far apart samples are: the longest interval of the targets, 30 s where the server does not say."""
        return self.kept("scrape", self._ask_scrape_s)

    def _ask_scrape_s(self) -> int:
        try:
            active = self._data(self.client.get("/api/v1/targets", {"state": "active"}))["activeTargets"]
            texts = [str(target.get("scrapeInterval", "")) for target in active[:1_000]]
        except NotAnswered:
            return 30
        found = [int(match[1]) * {"s": 1, "m": 60}[match[2]] for text in texts if (match := _INTERVAL.match(text))]
        return max(found, default=30)

    # PromQL ----------------------------------------------------------------------------------------------------------
    def _selectors(self, name_matcher: str, service: str) -> list[str]:
        """A selector for each label that could hold the service; [] where nothing narrows."""
        pattern = "|".join(_glob(one) for one in self.names_of(service)) if service not in ("", "*") else ""
        if not pattern:
            return [f"{{{name_matcher}}}"] if name_matcher else []
        matchers = [f"{label}=~{_quoted(f'(?i:{pattern})')}" for label in self.service_labels]
        return [f"{{{', '.join(filter(None, (name_matcher, matcher)))}}}" for matcher in matchers]

    def _union(self, names: Sequence[str], service: str, form: str) -> str:
        matcher = (
            f"__name__={_quoted(names[0])}" if len(names) == 1
            else f"__name__=~{_quoted('|'.join(map(_escaped, names)))}"
        )  # fmt: skip
        return " or ".join(form.replace("{}", selector) for selector in self._selectors(matcher, service))

    def _range(self, expression: str, query: MetricQuery, step_s: int, before_s: int = 0) -> list[dict[str, Any]]:
        since_us, until_us = _bounded(query)
        form: Params = {
            "query": expression, "start": since_us / 1e6 - before_s, "end": until_us / 1e6, "step": step_s,
            "timeout": QUERY_TIMEOUT,
        }  # fmt: skip
        self.note_query(expression, since_us, until_us, self._page(expression, since_us, until_us))
        data = self._data(self.client.post("/api/v1/query_range", form=form))
        if data["resultType"] != "matrix":
            raise NotAnswered(f"{self.client.who} answered a {data['resultType']} instead of a matrix.")
        rows: list[dict[str, Any]] = data["result"]
        return rows

    def _page(self, expression: str, since_us: int, until_us: int) -> str:
        minutes = max(1, round((until_us - since_us) / 60e6))
        ends = from_us(until_us).strftime("%Y-%m-%d %H:%M:%S")
        asked = {"g0.expr": expression, "g0.tab": 0, "g0.range_input": f"{minutes}m", "g0.end_input": ends}
        return f"{self.client.place}/graph?{urlencode(asked)}"

    def _step(self, query: MetricQuery, series: int) -> int:
        """A quarter of the step asked for, so that minima and maxima within it show; wider where that is too much."""
        since_us, until_us = _bounded(query)
        seconds = max(1.0, (until_us - since_us) / 1e6)
        least = max(seconds / MAX_POINTS_A_SERIES, seconds * max(series, 1) / MAX_POINTS)
        return max(1, min(query.step_s, max(15, query.step_s // 4)), math.ceil(least))

    # Rows ------------------------------------------------------------------------------------------------------------
    def _series(self, row: Mapping[str, Any], expression: str = "") -> Series:
        metric = {str(key): clean(str(value), 200) for key, value in row["metric"].items()}
        service = self._service(metric)
        raw = next((metric[label] for label in self.service_labels if metric.get(label)), "")
        name = metric.pop("__name__", "") or clean(expression, 300)
        labels = {key: value for key, value in metric.items() if not (key in self.service_labels and value == raw)}
        times, values = _points(row["values"])
        return Series(service, name, times, values, labels)

    def _service(self, metric: Mapping[str, Any]) -> str:
        return self.known_as(clean(next((str(metric[one]) for one in self.service_labels if metric.get(one)), ""), 200))


_INTERVAL = re.compile(r"(\d{1,6})(s|m)\Z")


def _without_target(found: Sequence[Series]) -> list[Series]:
    """Without the labels of the scraped target where they tell nothing apart: ids that people can read."""
    values: dict[tuple[str, str], dict[str, set[str]]] = {}
    for one in found:
        for label in TARGET_LABELS:
            values.setdefault((one.service, one.name), {}).setdefault(label, set()).add(one.labels.get(label, ""))
    return [
        replace(one, labels={
            label: value for label, value in one.labels.items()
            if len(values[one.service, one.name].get(label, "..")) > 1
        })
        for one in found
    ]  # fmt: skip


def _bounded(query: MetricQuery) -> tuple[int, int]:
    """The range; without one, nothing is read: a server may hold years."""
    if query.until_us >= FOREVER_US:
        raise NotAnswered("A server of metrics is asked for a range; this question had none.")
    return query.since_us or query.until_us - LAST_HOUR_US, query.until_us


def _base(name: str) -> str:
    return re.sub(r"_(?:bucket|count|sum|total)\Z", "", name)


def _quoted(text: str) -> str:
    """A PromQL string: the escapes of Go's strings are those of JSON here."""
    return json.dumps(text, ensure_ascii=False)


def _escaped(name: str) -> str:
    return re.sub(r"([^\w:])", r"\\\1", name)


def _glob(glob: str) -> str:
    return re.sub(r"\\\*|\*", ".*", re.sub(r"([^\w*?-])", r"\\\1", glob)).replace("?", ".")


def _points(rows: Sequence[Sequence[Any]]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    table = np.array([(float(at), float(value.replace("Inf", "inf"))) for at, value in rows]).reshape(-1, 2)
    good = table[np.isfinite(table[:, 1])]
    return np.round(good[:, 0] * 1e6).astype(np.int64), good[:, 1]


def _grid(rows: Sequence[Mapping[str, Any]]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """All rows on the times that any of them has; 0 where one has none."""
    read = [_points(row["values"]) for row in rows]
    times = np.unique(np.concatenate([at for at, _ in read]))
    counts = np.zeros((len(rows), len(times)))
    for place, (at, values) in enumerate(read):
        counts[place, np.searchsorted(times, at)] = values
    return times, counts

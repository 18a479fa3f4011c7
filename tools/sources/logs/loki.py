"""Logs of Grafana Loki. API: https://grafana.com/docs/loki/latest/reference/loki-http-api/.

Lines are read newest first up to a cap and counted here; of more than that, Loki counts, and the sample for templates
is of lines from all parts of the range.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tools.sources.logs import levels
from tools.sources.logs.search import LogHits, LogQuery
from tools.sources.logs.tally import Line, entry_of, page_back, read_lines, tally, wanted
from tools.sources.remote import Remote, Seen, guarded
from tools.sources.timestamps import from_us
from tools.sources.words import clean
from tools.web.client import NotAnswered, Params

SERVICES = ("service_name", "service", "app", "app_kubernetes_io_name", "container", "job")
LEVELS = ("detected_level", "level", "severity", "severity_text")
PLACES = ("pod", "instance", "filename", "host")
PAGE = 1_000  # Loki's default limit allows 5,000
DAY_US = 86_400_000_000


@dataclass
class Loki(Remote):
    # What there is ---------------------------------------------------------------------------------------------------
    def look(self) -> Seen:
        label = self._service_label
        services = [str(value) for value in self._data(self.client.get(f"/loki/api/v1/label/{label}/values"))]
        newest = self._get_streams({"query": self._selector(""), "limit": 1, "direction": "backward", "since": "24h"})
        at = max((int(value[0]) for stream in newest for value in stream["values"]), default=0)
        return Seen(from_us(at // 1_000) if at else None, services)

    @property
    def _service_label(self) -> str:
        """The label that names a service. A selector needs one that every stream has."""
        return self.options.named("service") or self.kept("label", self._find_label)

    def _find_label(self) -> str:
        there = self._data(self.client.get("/loki/api/v1/labels"))
        if found := next((label for label in SERVICES if label in there), ""):
            return found
        raise NotAnswered(
            f"{self.client.who} has no label that names a service: it has {', '.join(map(str, there)) or 'none'}. "
            "Say which it is under fields: service in sources.yaml."
        )

    def _data(self, answer: Any) -> Any:
        if answer["status"] != "success":
            raise NotAnswered(f"{self.client.who}: {clean(str(answer.get('error', answer['status'])), 300)}")
        return answer.get("data") or []

    # A question ------------------------------------------------------------------------------------------------------
    @guarded
    def search(self, query: LogQuery) -> LogHits:
        selector = self._selector(query.service)
        expression = selector + _line_filter(query) + self._level_filter(query)
        self.note_query(expression, query.since_us, query.until_us)
        span_us = query.until_us - query.since_us
        lines, is_all = self._read(expression, query)
        hits = tally(list(wanted(lines, query)), query)
        hits.searched = self._count(selector, query.until_us, span_us)
        hits.before = self._count(expression, query.since_us, span_us)
        if not is_all:
            self._count_all(hits, expression, query)
        return hits

    def _read(self, expression: str, query: LogQuery) -> tuple[list[Line], bool]:
        def fetch(since_us: int, until_us: int, limit: int) -> list[Line]:
            return self._lines(expression, since_us, until_us, limit)

        if not self._is_counted(query):
            return page_back(fetch, query.since_us, query.until_us, PAGE)
        return read_lines(
            fetch, lambda: self._count(expression, query.until_us, query.until_us - query.since_us), query.since_us,
            query.until_us, PAGE,
        )  # fmt: skip

    def _is_counted(self, query: LogQuery) -> bool:
        """Whether Loki can count what is asked for: not by a level that stands in the lines only."""
        return query.level < 0 or bool(self._level_label)

    def _count_all(self, hits: LogHits, expression: str, query: LogQuery) -> None:
        """There are more lines than were read: Loki's own counts take their place."""
        read = hits.total
        level = self._level_label
        if not self._is_counted(query):
            hits.is_cut = True
            self.notes.append(f"{self.name}: the newest {read:,} lines were read; older ones are not counted")
            return
        hits.buckets, hits.services, hits.levels = Counter(), Counter(), Counter()
        for since_us, until_us in _pieces(query):
            by = ", ".join(filter(None, (self._service_label, level)))
            for labels, end_us, count in self._counts(expression, by, since_us, until_us, query.bucket_us):
                hits.buckets[(end_us - 1) // query.bucket_us * query.bucket_us] += count
                hits.services[self.known_as(labels.get(self._service_label, ""))] += count
                hits.levels[levels.name(levels.rank(labels.get(level, "")))] += count
        hits.total = sum(hits.buckets.values())
        hits.first_us = max(min(hits.buckets, default=query.since_us), query.since_us)
        self.notes.append(
            f"{self.name}: templates are of {read:,} lines from all parts of the range; the counts are of all"
        )

    def _lines(self, expression: str, since_us: int, until_us: int, limit: int) -> list[Line]:
        asked: Params = {
            "query": expression, "start": since_us * 1_000, "end": until_us * 1_000, "limit": limit,
            "direction": "backward",
        }  # fmt: skip
        return [
            self._line(stream["stream"], int(value[0]), str(value[1]))
            for stream in self._get_streams(asked)
            for value in stream["values"]
        ]

    def _get_streams(self, asked: Params) -> list[dict[str, Any]]:
        data = self._data(self.client.get("/loki/api/v1/query_range", asked))
        if data["resultType"] != "streams":
            raise NotAnswered(f"{self.client.who} answered {data['resultType']} instead of streams.")
        streams: list[dict[str, Any]] = data["result"]
        return streams

    def _line(self, labels: Mapping[str, Any], at_ns: int, text: str) -> Line:
        named = {clean(str(key), 200): clean(str(value), 500) for key, value in labels.items()}
        service = self.known_as(named.pop(self._service_label, ""))
        level = next((named.pop(label) for label in self._level_labels if label in named), "")
        where = next((named[label] for label in PLACES if named.get(label)), "")
        fields: dict[str, object] = dict(list(named.items())[:40])
        entry = entry_of(text, at_ns // 1_000, service, level, where, fields)
        return Line(at_ns // 1_000, f"{at_ns} {sorted(named.items())} {text}", entry)

    # Counts ----------------------------------------------------------------------------------------------------------
    def _count(self, expression: str, until_us: int, span_us: int) -> int:
        """Lines in the span that ends there, exclusive: a moment earlier, since Loki's ranges include their end."""
        asked = f"sum(count_over_time({expression}[{max(1, span_us // 1_000)}ms]))"
        answer = self._data(
            self.client.get("/loki/api/v1/query", {"query": asked, "time": until_us * 1_000 - 1, "limit": 1})
        )
        return int(float(answer["result"][0]["value"][1])) if answer["result"] else 0

    def _counts(
        self, expression: str, by: str, since_us: int, until_us: int, bucket_us: int
    ) -> list[tuple[dict[str, str], int, int]]:
        """(labels, end of the bucket, lines in it); the range is whole buckets, or shorter than one."""
        width_us = min(bucket_us, until_us - since_us)
        asked: Params = {
            "query": f"sum by ({by}) (count_over_time({expression}[{max(1, width_us // 1_000)}ms]))",
            "start": (since_us + width_us) * 1_000 - 1, "end": until_us * 1_000 - 1, "step": f"{width_us / 1e6}s",
        }  # fmt: skip
        data = self._data(self.client.get("/loki/api/v1/query_range", asked))
        return [
            (row["metric"], round(float(at) * 1e6 / 1_000) * 1_000, int(float(count)))
            for row in data["result"]
            for at, count in row["values"]
        ]

    # LogQL -----------------------------------------------------------------------------------------------------------
    def _selector(self, service: str) -> str:
        label = self._service_label
        if not service:
            return f'{{{label}=~".+"}}'
        names = self.names_of(service)
        if len(names) == 1:
            return f"{{{label}={_quoted(names[0])}}}"
        return f"{{{label}=~{_quoted('|'.join(map(_escaped, names)))}}}"

    @property
    def _level_labels(self) -> tuple[str, ...]:
        return (own,) if (own := self.options.named("level")) else LEVELS

    @property
    def _level_label(self) -> str:
        """The label with the level, "" where the lines say it themselves. Loki 3 adds detected_level to each line."""
        return self.options.named("level") or self.kept("level", self._find_level)

    def _find_level(self) -> str:
        seen = self._get_streams({"query": self._selector(""), "limit": 100, "direction": "backward", "since": "24h"})
        return next((label for label in LEVELS if any(label in stream["stream"] for stream in seen)), "")

    def _level_filter(self, query: LogQuery) -> str:
        if query.level < 0 or not (label := self._level_label):
            return ""
        spellings = f"(?i)({'|'.join(levels.names_from(query.level))})"
        return f" | {label}=~{_quoted(spellings)}"


def _line_filter(query: LogQuery) -> str:
    return f" |~ {_quoted(query.pattern.logql)}" if query.pattern else ""


def _pieces(query: LogQuery) -> list[tuple[int, int]]:
    """The range cut where its buckets begin: a first part, whole buckets, a last part."""
    width = query.bucket_us
    first, last = -(-query.since_us // width) * width, query.until_us // width * width
    if first >= last:
        cuts = [query.since_us, *([first] if query.since_us < first < query.until_us else []), query.until_us]
    else:
        cuts = [query.since_us, first, last, query.until_us]
    return [(low, high) for low, high in pairwise(cuts) if low < high]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _escaped(name: str) -> str:
    return "".join(char if char.isalnum() or char in "_-" else f"\\{char}" for char in name)

"""Logs of Elasticsearch and OpenSearch. API: https://www.elastic.co/docs/api/doc/elasticsearch/group/endpoint-search.

Their pattern language is not RE2, so a pattern is narrowed there by the words it needs and judged here, over the newest
lines up to a cap. Without a pattern the counts are the service's own, and the sample for templates is of lines from all
parts of the range.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tools.sources.logs import levels
from tools.sources.logs.search import LogHits, LogQuery
from tools.sources.logs.tally import Line, entry_of, page_back, read_lines, tally, wanted
from tools.sources.remote import Remote, Seen, guarded
from tools.sources.timestamps import from_us, iso_us, read_us
from tools.sources.words import clean, clean_value
from tools.web.client import NotAnswered

FIELDS: dict[str, tuple[str, ...]] = {
    "time": ("@timestamp", "timestamp", "time", "ts"),
    "message": ("message", "msg", "log", "body", "event.original", "body.text"),
    "level": ("log.level", "level", "severity_text", "severity", "loglevel", "log_level"),
    "service": ("service.name", "service", "service_name", "app", "application", "resource.attributes.service.name",
                "kubernetes.labels.app_kubernetes_io/name", "kubernetes.container.name", "container.name"),
}  # fmt: skip
PAGE = 1_000
TIMEOUT = "8s"
# Parts of a pattern that may match anything, or nothing, in this order: groups, classes, escapes, repeated characters.
GAPS = tuple(
    re.compile(gap)
    for gap in (
        r"\\\\", r"\\[()\[\]{}|]", r"\([^()]*\)(?:[*+?]|\{[\d,]*\})*", r"\[[^\]]*\](?:[*+?]|\{[\d,]*\})*",
        r"\\x[0-9a-fA-F]{2}|\\[pP](?:\w|\{\w+\})|\\.(?:[*+?]|\{[\d,]*\})*", r".(?:[*?]|\{[\d,]*\})[+?]*", r"[.+^$]",
    )
)  # fmt: skip
WORD = re.compile(r"\w{2,}")


@dataclass(frozen=True, slots=True)
class Fields:
    """The index's own names for what we need; "" where it has none. The last two can be counted by."""

    time: str
    message: str
    level: str
    service: str
    level_key: str
    service_key: str


@dataclass
class Elasticsearch(Remote):
    index: str = "*"

    # What there is ---------------------------------------------------------------------------------------------------
    def look(self) -> Seen:
        names = self.names
        body: dict[str, Any] = {"size": 1, "sort": [{names.time: "desc"}], "_source": False,
                                "docvalue_fields": [{"field": names.time, "format": "strict_date_time"}]}  # fmt: skip
        if names.service_key:
            body["aggs"] = {"services": {"terms": {"field": names.service_key, "size": 500}}}
        answer = self._search(body)
        rows = answer["hits"]["hits"]
        newest_us = read_us(rows[0]["fields"][names.time][0]) if rows else None
        buckets = answer.get("aggregations", {}).get("services", {}).get("buckets", [])
        from_index = [str(bucket["key"]) for bucket in buckets]
        return Seen(None if newest_us is None else from_us(newest_us), from_index)

    @property
    def names(self) -> Fields:
        return self.kept("fields", self._find_fields)

    def _find_fields(self) -> Fields:
        wanted = [name for names in FIELDS.values() for name in names] + [one for _, one in self.options.fields]
        asked = ",".join([*wanted, *(f"{name}.keyword" for name in wanted)])
        known = self.client.get(f"/{self._path}/_field_caps", {"fields": asked, "ignore_unavailable": "true"})["fields"]

        def pick(part: str) -> str:
            own = self.options.named(part)
            return own or next((name for name in FIELDS[part] if _is_leaf(known.get(name))), "")

        time, message = pick("time"), pick("message")
        if not time or not message:
            lacking = "message" if time else "time"
            raise NotAnswered(
                f"{self.client.who}: the index {self.index} has no field for the {lacking}; looked for "
                f"{', '.join(FIELDS[lacking])}. Name it under fields in sources.yaml."
            )
        level, service = pick("level"), pick("service")
        return Fields(time, message, level, service, _countable(known, level), _countable(known, service))

    @property
    def _path(self) -> str:
        return quote(self.index, safe="*,-_.")

    def _search(self, body: Mapping[str, Any]) -> dict[str, Any]:
        sent = {"timeout": TIMEOUT, "track_total_hits": True, **body}
        answer: dict[str, Any] = self.client.post(f"/{self._path}/_search?ignore_unavailable=true", body=sent)
        failed = answer.get("_shards", {}).get("failed", 0)
        if answer.get("timed_out") or failed:
            why = f"{failed} of its shards failed" if failed else f"it stopped after {TIMEOUT}"
            self.notes.append(f"{self.name} answered in part: {why}")
        return answer

    # A question ------------------------------------------------------------------------------------------------------
    @guarded
    def search(self, query: LogQuery) -> LogHits:
        self.notes.clear()
        filters = self._filters(query)
        self.note_query(self._native(filters, query), query.since_us, query.until_us)
        lines, is_all = self._read(filters, query)
        found = [entry for entry in wanted(lines, query) if query.pattern is None or query.pattern.hits(
            f"{entry.message} {json.dumps(entry.fields, ensure_ascii=False)}".encode("utf-8", "replace")
        )]  # fmt: skip
        hits = tally(found, query)
        span_us = query.until_us - query.since_us
        hits.searched = self._count(self._service_filters(query), query.since_us, query.until_us)
        if is_all or query.pattern is not None:
            hits.is_cut = not is_all
        else:
            self._count_all(hits, filters, query)
        if not is_all and query.pattern is not None:
            self.notes.append(f"{self.name}: the newest {len(lines):,} lines were read")
        elif not is_all:
            self.notes.append(
                f"{self.name}: templates are of {len(lines):,} lines from all parts of the range; the counts are of all"
            )
        hits.before = self._before(filters, query, span_us)
        return hits

    def _read(self, filters: Sequence[Any], query: LogQuery) -> tuple[list[Line], bool]:
        """With a pattern the newest, without a gap: what is judged here can be counted here only."""

        def fetch(since_us: int, until_us: int, limit: int) -> list[Line]:
            return self._lines(filters, since_us, until_us, limit)

        if query.pattern is not None:
            return page_back(fetch, query.since_us, query.until_us, PAGE)
        return read_lines(
            fetch, lambda: self._count(filters, query.since_us, query.until_us), query.since_us, query.until_us, PAGE
        )

    def _before(self, filters: Sequence[Any], query: LogQuery, span_us: int) -> int:
        if query.pattern is None:
            return self._count(filters, query.since_us - span_us, query.since_us)
        lines, _ = page_back(
            lambda since_us, until_us, limit: self._lines(filters, since_us, until_us, limit),
            query.since_us - span_us, query.since_us, PAGE,
        )  # fmt: skip
        return sum(1 for line in lines if query.pattern.hits(line.entry.message.encode("utf-8", "replace")))

    def _count(self, filters: Sequence[Any], since_us: int, until_us: int) -> int:
        body = {"size": 0, "query": {"bool": {"filter": [*filters, self._range(since_us, until_us)]}}}
        return int(self._search(body)["hits"]["total"]["value"])

    def _count_all(self, hits: LogHits, filters: Sequence[Any], query: LogQuery) -> None:
        """More lines than were read, and no pattern: the service's own counts of all."""
        names = self.names
        aggregations: dict[str, Any] = {
            "buckets": {
                "date_histogram": {
                    "field": names.time, "fixed_interval": f"{query.bucket_us // 1_000_000}s", "min_doc_count": 1
                }
            }
        }  # fmt: skip
        for part, key in (("services", names.service_key), ("levels", names.level_key)):
            if key:
                aggregations[part] = {"terms": {"field": key, "size": 500}}
        asked = [*filters, self._range(query.since_us, query.until_us)]
        answer = self._search({"size": 0, "query": {"bool": {"filter": asked}}, "aggs": aggregations})
        found = answer["aggregations"]
        hits.total = int(answer["hits"]["total"]["value"])
        hits.buckets = Counter(
            {int(one["key"]) * 1_000 // query.bucket_us * query.bucket_us: int(one["doc_count"])
             for one in found["buckets"]["buckets"]}
        )  # fmt: skip
        hits.first_us = max(min(hits.buckets, default=query.since_us), query.since_us)
        if "services" in found:
            hits.services = Counter()
            for one in found["services"]["buckets"]:
                hits.services[self.known_as(str(one["key"]))] += int(one["doc_count"])
        if "levels" in found:
            hits.levels = Counter()
            for one in found["levels"]["buckets"]:
                hits.levels[levels.name(levels.rank(str(one["key"])))] += int(one["doc_count"])

    def _lines(self, filters: Sequence[Any], since_us: int, until_us: int, limit: int) -> list[Line]:
        names = self.names
        body = {
            "size": limit, "sort": [{names.time: "desc"}], "_source": True,
            "docvalue_fields": [{"field": names.time, "format": "strict_date_time"}],
            "query": {"bool": {"filter": [*filters, self._range(since_us, until_us)]}},
        }  # fmt: skip
        found = []
        for hit in self._search(body)["hits"]["hits"]:
            at_us = read_us(hit["fields"][names.time][0])
            if at_us is not None:
                found.append(self._line(hit, at_us))
        return found

    def _line(self, hit: Mapping[str, Any], at_us: int) -> Line:
        names, source = self.names, hit["_source"]
        text = _value(source, names.message)
        message = text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
        service = self.known_as(clean(str(_value(source, names.service) or ""), 200))
        level = clean(str(_value(source, names.level) or ""), 40)
        kept = {key: value for key, value in source.items() if key not in (names.message, names.time)}
        entry = entry_of(message, at_us, service, level, f"{hit['_index']}/{hit['_id']}", clean_value(kept))
        return Line(at_us, str(hit["_id"]), entry)

    # Queries ---------------------------------------------------------------------------------------------------------
    def _native(self, filters: Sequence[Any], query: LogQuery) -> str:
        """The question whole, as Kibana's console takes it."""
        asked = {"query": {"bool": {"filter": [*filters, self._range(query.since_us, query.until_us)]}}}
        return f"GET /{self._path}/_search\n{json.dumps(asked, ensure_ascii=False)}"

    def _range(self, since_us: int, until_us: int) -> dict[str, Any]:
        bounds = {"gte": iso_us(since_us), "lt": iso_us(until_us), "format": "strict_date_optional_time"}
        return {"range": {self.names.time: bounds}}

    def _service_filters(self, query: LogQuery) -> list[Any]:
        if not query.service:
            return []
        if not self.names.service_key:
            raise NotAnswered(f"{self.client.who}: the index {self.index} has no field that names a service.")
        return [{"terms": {self.names.service_key: self.names_of(query.service)}}]

    def _filters(self, query: LogQuery) -> list[Any]:
        filters = self._service_filters(query)
        if query.level >= 0 and self.names.level_key:
            spelled = levels.names_from(query.level)
            every = sorted({form for word in spelled for form in (word, word.upper(), word.capitalize())})
            filters.append({"terms": {self.names.level_key: every}})
        if query.pattern and (alternatives := needed_words(query.pattern.text)):
            filters.append({"bool": {"should": [self._contains(words) for words in alternatives],
                                     "minimum_should_match": 1}})  # fmt: skip
        return filters

    def _contains(self, words: Sequence[str]) -> dict[str, Any]:
        field = self.names.message
        every = [{"wildcard": {field: {"value": f"*{word}*", "case_insensitive": True}}} for word in words]
        return {"bool": {"filter": every}}


def needed_words(pattern: str) -> list[list[str]]:
    """The words that a match of each alternative must hold, whatever stands between; [] where that cannot be said."""
    text = pattern
    for gap in GAPS:
        text = gap.sub("\0", text)
    if re.search(r"[()\[\]{}\\]", text):
        return []  # nested groups and what else is beyond a few substitutions
    found = [WORD.findall(part)[:8] for part in text.split("|")]
    return found if all(found) else []


def _is_leaf(kinds: Any) -> bool:
    return isinstance(kinds, dict) and bool(set(kinds) - {"object", "nested", "unmapped"})


def _countable(known: Mapping[str, Any], name: str) -> str:
    """The field or its keyword that can be filtered and counted by exactly."""
    for one in (name, f"{name}.keyword"):
        kinds = known.get(one) or {}
        if name and any(kind != "text" and one_kind.get("aggregatable") for kind, one_kind in kinds.items()):
            return one
    return ""


def _value(source: Mapping[str, Any], path: str) -> Any:
    """A field of a document, whether its name is written with dots or as objects within each other."""
    if not path or path in source:
        return source.get(path)
    head, _, rest = path.partition(".")
    inner = source.get(head)
    while rest and not isinstance(inner, Mapping):
        more, _, rest = rest.partition(".")
        head = f"{head}.{more}"
        inner = source.get(head)
    return _value(inner, rest) if isinstance(inner, Mapping) and rest else None

"""Elasticsearch's search API over documents from a file: the filters, sorts and aggregations that logs need.

Written from https://www.elastic.co/docs/api/doc/elasticsearch/. Every field of the documents is a keyword but
`@timestamp` (date) and `message` (text). Run as `python -m tests.standins.elasticsearch_api DOCUMENTS.json`.
"""

from __future__ import annotations

import fnmatch
import json
import re
import sys
from collections import Counter
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from tests.standins.vendor import Api, Reply, Request, serve

Document = dict[str, Any]
MAX_WINDOW = 10_000


class BadQuery(Exception):
    pass


def _error(status: int, kind: str, reason: str) -> dict[str, Any]:
    cause = {"type": kind, "reason": reason}
    return {"error": {"root_cause": [cause], **cause}, "status": status}


class Elasticsearch(Api):
    errors = {
        401: _error(401, "security_exception", "missing authentication credentials for REST request [/logs/_search]"),
        404: _error(404, "index_not_found_exception", "no such index [logs]"),
        429: _error(429, "circuit_breaking_exception", "[parent] Data too large"),
        500: _error(500, "search_phase_execution_exception", "all shards failed"),
    }

    def __init__(self, documents: list[Document]):
        self.documents = documents
        self.places = {id(document): place for place, document in enumerate(documents)}

    def is_query(self, request: Request) -> bool:
        return request.path.endswith("/_search") and request.json.get("size") != 1

    def answer(self, request: Request) -> Reply:
        if request.headers.get("authorization") != "ApiKey right" and request.mode == "secured":
            return Reply(self.errors[401], 401)
        if request.path.endswith("/_field_caps"):
            return Reply({"indices": ["logs"], "fields": self._fields(request.query["fields"].split(","))})
        if request.path.endswith("/_search"):
            try:
                return Reply(self._search(request.json))
            except BadQuery as error:
                return Reply(_error(400, "parsing_exception", str(error)), 400)
        return Reply(_error(404, "not_found", request.path), 404)

    def _fields(self, asked: list[str]) -> dict[str, Any]:
        known = {name for document in self.documents for name in document}
        kinds = {"@timestamp": "date", "message": "text"}
        found = {}
        for name in known & set(asked):
            kind = kinds.get(name, "keyword")
            found[name] = {kind: {"type": kind, "searchable": True, "aggregatable": kind != "text"}}
        return found

    def _search(self, body: dict[str, Any]) -> dict[str, Any]:
        if body.get("size", 10) > MAX_WINDOW:
            raise BadQuery("Result window is too large")
        found = [one for one in self.documents if _matches(one, body.get("query", {"bool": {"filter": []}}))]
        for sort in body.get("sort", []):
            ((name, order),) = sort.items()
            found.sort(key=lambda one, name=name: one[name], reverse=order == "desc")  # type: ignore[misc]
        answer: dict[str, Any] = {
            "took": 1, "timed_out": False, "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
            "hits": {"total": {"value": len(found), "relation": "eq"}, "max_score": None,
                     "hits": [self._hit(one, body) for one in found[: body.get("size", 10)]]},
        }  # fmt: skip
        if "aggs" in body:
            answer["aggregations"] = {name: {"buckets": _buckets(found, one)} for name, one in body["aggs"].items()}
        return answer

    def _hit(self, document: Document, body: dict[str, Any]) -> dict[str, Any]:
        hit: dict[str, Any] = {"_index": "logs", "_id": str(self.places[id(document)]), "_score": None}
        if body.get("_source", True):
            hit["_source"] = document
        hit["fields"] = {one["field"]: [document[one["field"]]] for one in body.get("docvalue_fields", [])}
        return hit


def _matches(document: Document, query: dict[str, Any]) -> bool:
    ((kind, value),) = query.items()
    match kind:
        case "bool":
            should = value.get("should", [])
            return all(_matches(document, one) for one in value.get("filter", [])) and (
                not should or any(_matches(document, one) for one in should)
            )
        case "range":
            ((name, bounds),) = value.items()
            return _moment(bounds["gte"]) <= _moment(document[name]) < _moment(bounds["lt"])
        case "terms":
            ((name, wanted),) = value.items()
            return document.get(name) in wanted
        case "wildcard":
            ((name, one),) = value.items()
            tokens = re.findall(r"\w+", document.get(name, "").lower())
            return any(fnmatch.fnmatchcase(token, one["value"].lower()) for token in tokens)
    raise BadQuery(f"unknown query [{kind}]")


def _buckets(found: list[Document], aggregation: dict[str, Any]) -> list[dict[str, Any]]:
    ((kind, value),) = aggregation.items()
    if kind == "terms":
        counts = Counter(one[value["field"]] for one in found if value["field"] in one)
        return [{"key": key, "doc_count": count} for key, count in counts.most_common(value["size"])]
    if kind == "date_histogram":
        width = int(value["fixed_interval"].removesuffix("s")) * 1_000
        times = Counter(int(_moment(one[value["field"]]).timestamp() * 1_000) // width * width for one in found)
        return [{"key": at, "doc_count": count} for at, count in sorted(times.items())]
    raise BadQuery(f"unknown aggregation [{kind}]")


@cache
def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


if __name__ == "__main__":
    serve(Elasticsearch(json.loads(Path(sys.argv[1]).read_text())))

"""Loki's HTTP API over lines from a file, with the part of LogQL that selects, filters and counts.

Written from https://grafana.com/docs/loki/latest/reference/loki-http-api/ and the LogQL reference. What it does not
know it refuses, as Loki refuses what does not parse. Run as `python -m tests.standins.loki_api LINES.json`.
"""

from __future__ import annotations

import json
import re
import sys
from bisect import bisect_left, bisect_right
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

import re2

from tests.standins.vendor import Api, Reply, Request, serve

TEXT = r'"(?:[^"\\]|\\.)*"'
LOG = re.compile(rf"\{{(\w+)(=~|=)({TEXT})\}}(?: \|~ ({TEXT}))?(?: \| (\w+)=~({TEXT}))?\Z")
COUNT = re.compile(r"sum(?: by \(([\w, ]+)\))? \(?count_over_time\((.+)\[(\d+)ms\]\)\)?\Z|"
                   r"sum\(count_over_time\((.+)\[(\d+)ms\]\)\)\Z")  # fmt: skip
MAX_LIMIT = 5_000
Line = tuple[int, dict[str, str], str]


class BadQuery(Exception):
    pass


class Loki(Api):
    errors = {
        401: "no org id\n",
        404: "404 page not found\n",
        429: "too many outstanding requests\n",
        500: "context canceled\n",
    }

    def __init__(self, lines: list[Line]):
        self.lines = sorted(lines, key=lambda line: line[0])
        self._selected = lru_cache(maxsize=64)(self._select)

    def is_query(self, request: Request) -> bool:
        return request.path.endswith(("/query", "/query_range")) and "since" not in request.query

    def answer(self, request: Request) -> Reply:
        if request.headers.get("authorization") != "Bearer right" and request.mode == "secured":
            return Reply("no org id\n", 401)
        try:
            return self._answer(request)
        except BadQuery as error:
            return Reply(f"parse error at line 1, col 1: syntax error: {error}\n", 400)

    def _answer(self, request: Request) -> Reply:
        if request.path == "/loki/api/v1/labels":
            return _success(
                sorted({name for _, labels, _ in self.lines for name in labels if name != "detected_level"})
            )
        if match := re.fullmatch(r"/loki/api/v1/label/(\w+)/values", request.path):
            return _success(sorted({labels[match[1]] for _, labels, _ in self.lines if match[1] in labels}))
        if request.path == "/loki/api/v1/query":
            return _success({"resultType": "vector", "result": self._vector(request.query)})
        if request.path == "/loki/api/v1/query_range":
            return self._range(request.query)
        return Reply("404 page not found\n", 404)

    def _range(self, query: dict[str, str]) -> Reply:
        if query["query"].startswith("sum"):
            return _success({"resultType": "matrix", "result": self._matrix(query)})
        limit = int(query["limit"])
        if limit > MAX_LIMIT:
            return Reply(
                f"max entries limit per query exceeded, limit > max_entries_limit ({limit} > {MAX_LIMIT})\n", 400
            )
        start, end = int(query.get("start", 0)), int(query.get("end", 2**62))
        found = _between(self._selected(query["query"]), start, end - 1)
        newest = found[::-1][:limit] if query.get("direction", "backward") == "backward" else found[:limit]
        streams: dict[str, dict[str, Any]] = {}
        for at, labels, text in newest:
            stream = streams.setdefault(json.dumps(labels), {"stream": labels, "values": []})
            stream["values"].append([str(at), text])
        return _success({"resultType": "streams", "result": list(streams.values()), "stats": {}})

    def _select(self, expression: str) -> list[Line]:
        match = LOG.fullmatch(expression)
        if match is None:
            raise BadQuery(expression)
        label, operator, value, line_filter, level_label, level = match.groups()
        wanted = json.loads(value)
        if operator == "=~" and re2.fullmatch(wanted, "") is not None:
            raise BadQuery("queries require at least one regexp or equality matcher that does not have an empty value")
        pattern = re2.compile(wanted if operator == "=~" else re2.escape(wanted))
        lines = [line for line in self.lines if pattern.fullmatch(line[1].get(label, ""))]
        if line_filter:
            filtered = re2.compile(json.loads(line_filter))
            lines = [line for line in lines if filtered.search(line[2])]
        if level:
            levels = re2.compile(json.loads(level))
            lines = [line for line in lines if levels.fullmatch(line[1].get(level_label, ""))]
        return lines

    def _counts(self, expression: str, at: int) -> Counter[tuple[tuple[str, str], ...]]:
        """Lines in (at - range, at], by the labels asked for."""
        match = COUNT.fullmatch(expression)
        if match is None:
            raise BadQuery(expression)
        by = [name.strip() for name in (match[1] or "").split(",") if name.strip()]
        inner, width = match[2] or match[4], int(match[3] or match[5]) * 1_000_000
        found: Counter[tuple[tuple[str, str], ...]] = Counter()
        for _, labels, _ in _between(self._selected(inner), at - width + 1, at):
            found[tuple((name, labels[name]) for name in by if name in labels)] += 1
        return found

    def _vector(self, query: dict[str, str]) -> list[dict[str, Any]]:
        at = int(query["time"])
        return [{"metric": dict(labels), "value": [at / 1e9, str(count)]}
                for labels, count in self._counts(query["query"], at).items()]  # fmt: skip

    def _matrix(self, query: dict[str, str]) -> list[dict[str, Any]]:
        start, end = int(query["start"]), int(query["end"])
        step = round(float(query["step"].removesuffix("s")) * 1e9)
        series: dict[tuple[tuple[str, str], ...], list[list[Any]]] = {}
        for at in range(start, end + 1, step):
            for labels, count in self._counts(query["query"], at).items():
                series.setdefault(labels, []).append([at / 1e9, str(count)])
        return [{"metric": dict(labels), "values": values} for labels, values in series.items()]


def _between(lines: list[Line], first: int, last: int) -> list[Line]:
    """Those from one moment to another, both included."""
    return lines[bisect_left(lines, first, key=_when) : bisect_right(lines, last, key=_when)]


def _when(line: Line) -> int:
    return line[0]


def _success(data: Any) -> Reply:
    return Reply({"status": "success", "data": data})


if __name__ == "__main__":
    serve(Loki([(at, labels, text) for at, labels, text in json.loads(Path(sys.argv[1]).read_text())]))

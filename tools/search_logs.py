"""search_logs: which lines match, how many a minute, and the newest of them.

data = {
  "total": int,                        # lines that match in the range
  "searched": int,                     # lines looked at in the range
  "per_minute": [[iso, count], …],     # every minute of the range that has a match; wide ranges use wider buckets
  "bucket_s": 60,
  "services": {service: count, …},     # of the matches, largest first
  "levels": {level: count, …},
  "templates": [{"template": str, "count": int, "first_at": iso, "last_at": iso, "service": str, "example": str}, …],
                                       # of the matches, at most 20, most frequent first; numbers masked as <n>, …
  "matches": [{"at": iso, "service": str, "level": str, "message": str, "where": "file:line", "fields": {…}}, …]
                                       # the newest `limit`, newest first; `message` is the line's own text, verbatim
  "patterns": [{"signature": str, "service": str, "count": int, "delta": int | null}, …],
                                       # rows of the folder's patterns.json that the pattern and service match: counted
                                       # by another system, against its own baseline; without times
  "before": int,                       # matches in the range of equal length that ends where this one starts
  "first_at": iso | null, "last_at": iso | null,
  "available": {"services": [str, …]}  # when nothing matched
}
figures: total, searched, before, "service <name>", "level <LEVEL>", "pattern <service> <signature>".
source = "<name>:logs"
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from pydantic import Field

from tools.base import Params, Risk, Status, Tool, ToolContext, ToolResult
from tools.reach import Answers, Reach, age, ask_each, list_of, reach
from tools.sources.folder import KnownPattern
from tools.sources.logs.entry import Entry
from tools.sources.logs.levels import LEVELS, UNKNOWN
from tools.sources.logs.matching import Pattern, compile_pattern
from tools.sources.logs.search import LogHits, LogQuery
from tools.sources.timestamps import iso_us, to_us

MAX_TEMPLATES = 20
EXAMPLE_LENGTH = 400


class SearchLogs(Params):
    pattern: str = Field("", max_length=512, description="RE2 regular expression; empty matches every line.")
    ignore_case: bool = True
    source: str = Field("", description="Name of a source; empty searches all of them.")
    service: str = Field("", description="Exact service name; empty means every service.")
    level: Literal["", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"] = Field("", description="This level or worse.")
    since: str = Field("", description="'last 5 hours', '30m', or ISO 8601. Empty: the start of the data.")
    until: str = Field("", description="ISO 8601 or a phrase; empty: the run's as-of time.")
    limit: int = Field(20, ge=0, le=200)


def run(context: ToolContext, params: SearchLogs) -> ToolResult:
    pattern = compile_pattern(params.pattern, params.ignore_case)
    sources = context.sources.logs(params.source)
    within = reach(context, "logs", sources, params.since, params.until)
    query = LogQuery(
        pattern=pattern,
        service=params.service,
        level=LEVELS.index(params.level) if params.level else UNKNOWN,
        since_us=within.since_us,
        until_us=within.until_us,
        bucket_us=within.bucket_s * 1_000_000,
        limit=params.limit,
    )
    answers = ask_each(sources, lambda source: source.search(query))
    hits = LogHits()
    for found in answers.found:
        hits.add(found, params.limit)
    known = _known(context.sources.patterns(params.source), pattern, params.service)
    return _result(params, within, hits, known, answers)


def _known(patterns: list[KnownPattern], pattern: Pattern | None, service: str) -> list[KnownPattern]:
    of_service = [known for known in patterns if not service or known.service == service]
    return [known for known in of_service if pattern is None or pattern.hits(known.signature.encode())]


def _result(
    params: SearchLogs, within: Reach, hits: LogHits, known: list[KnownPattern], answers: Answers[LogHits]
) -> ToolResult:
    is_empty = not hits.total and not known
    asked = params.model_dump(include={"pattern", "ignore_case", "service", "level", "limit"})
    is_cut = hits.is_cut or bool(answers.troubles)
    return ToolResult(
        status=Status.NO_DATA if is_empty else Status.TRUNCATED if is_cut else Status.SUCCESS,
        summary=_summary(params, within, hits, known) + within.notes(*answers.notes),
        data=_data(within, hits, known) | ({"available": {"services": within.services}} if is_empty else {}),
        figures=_figures(hits, known),
        query=within.query(**asked) | answers.native(),
        source=within.source,
        freshness=within.newest,
        skipped=within.skipped,
    )


def _data(within: Reach, hits: LogHits, known: list[KnownPattern]) -> dict[str, Any]:
    templates = sorted(hits.templates.items(), key=lambda item: (-item[1].count, item[0]))[:MAX_TEMPLATES]
    return {
        "total": hits.total,
        "searched": hits.searched,
        "before": hits.before,
        "first_at": None if hits.first_us is None else iso_us(hits.first_us),
        "last_at": None if hits.last_us is None else iso_us(hits.last_us),
        "per_minute": [[iso_us(at), count] for at, count in sorted(hits.buckets.items())],
        "bucket_s": within.bucket_s,
        "services": dict(hits.services.most_common()),
        "levels": dict(hits.levels.most_common()),
        "templates": [
            {
                "template": template,
                "count": found.count,
                "first_at": iso_us(found.first_us),
                "last_at": iso_us(found.last_us),
                "service": service,
                "example": found.example[:EXAMPLE_LENGTH],
            }
            for (service, template), found in templates
        ],
        "matches": [_match(entry) for entry in hits.newest],
        "patterns": [asdict(pattern) for pattern in known],
    }


def _match(entry: Entry) -> dict[str, Any]:
    return {
        "at": iso_us(entry.at_us),
        "service": entry.service,
        "level": entry.level,
        "message": entry.message,
        "where": entry.where,
        "fields": entry.fields,
    }


def _figures(hits: LogHits, known: list[KnownPattern]) -> dict[str, float]:
    figures: dict[str, float] = {"total": hits.total, "searched": hits.searched, "before": hits.before}
    figures |= {f"service {name or '(none)'}": count for name, count in hits.services.items()}
    figures |= {f"level {name or '(none)'}": count for name, count in hits.levels.items()}
    figures |= {f"pattern {one.service} {one.signature}"[:400]: one.count for one in known}
    return figures


def _summary(params: SearchLogs, within: Reach, hits: LogHits, known: list[KnownPattern]) -> str:
    asked = _asked(params)
    counted = _counted(known)
    if not hits.total or hits.first_us is None or hits.last_us is None:
        return f"No line{asked} in {within.words()}, {hits.searched:,} searched; {_why_empty(params, within)}{counted}"
    newest = age((to_us(within.as_of) - hits.last_us) / 1e6)
    has_before = within.oldest is not None and within.oldest < within.range.since
    before = f"; {hits.before:,} in the same time before" if has_before else ""
    return (
        f"{hits.total:,} of {hits.searched:,} lines match{asked} in {within.words()}, "
        f"first {within.clock_us(hits.first_us)}, newest {newest} before as-of{before}{counted}"
    )


def _counted(known: list[KnownPattern]) -> str:
    if not known:
        return ""
    largest = max(known, key=lambda pattern: pattern.count)
    return f"; {len(known)} signatures counted elsewhere match, most often “{largest.signature}” ({largest.count:,})"


def _asked(params: SearchLogs) -> str:
    parts = [f" “{params.pattern}”" if params.pattern else "", f" of {params.service}" if params.service else ""]
    return "".join([*parts, f" at {params.level} or worse" if params.level else ""])


def _why_empty(params: SearchLogs, within: Reach) -> str:
    if params.service and params.service not in within.services:
        return f"no line of service {params.service!r} at all, services: {list_of(within.services)}"
    return within.span()


TOOL = Tool(
    name="search_logs",
    summary="Search log lines with an RE2 pattern: how many match and when, of which service and level, which "
    "templates, the newest lines.",
    params=SearchLogs,
    risk=Risk.READ,
    run=run,
    needs=("logs",),
)

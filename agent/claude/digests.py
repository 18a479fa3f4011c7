"""What of a result fits the prompt: counts, its course over time, the top templates and telling lines, within a budget.

A digest is a pure function of the result: it is part of the prompt's prefix. Figures and lines are spelled exactly as
the stored evidence spells them, so that they can be cited from here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from agent.claude.fence import Fence
from agent.claude.tables import EMPTY, clip, tables
from agent.jsonclean import clean, clean_text
from agent.planner import Returned

Data = dict[str, Any]
LINE_CHARS = 320
MORE = "More: read_evidence reads {evidence} itself; or ask again with a narrower range, pattern or service."
ROOM = {
    "read_evidence": 6_000,  # who reads on wants the lines, not their number
    "investigate_hypotheses": 8_000,
    "list_changes": 4_000,  # a change that is not named cannot be suspected
}  # characters
STATS = ("first", "last", "min", "median", "max", "mean")
SERIES = 5  # with their course; the others by name


class DigestMemory:
    """Digests made once: a long run's next turn loads no old evidence again. Forgotten when full, never wrong."""

    def __init__(self, max_chars: int, most: int = 2_000):
        self._max_chars = max_chars
        self._most = most
        self._known: dict[tuple[str, str, str], str] = {}

    def of(self, returned: Returned, fence: Fence) -> str:
        key = (fence.mark, returned.request_id, returned.evidence)
        if key not in self._known:
            if len(self._known) >= self._most:
                self._known.clear()
            self._known[key] = digest(returned, fence, self._max_chars)
        return self._known[key]


def digest(returned: Returned, fence: Fence, max_chars: int) -> str:
    """The result's head in our words, then what outside text it holds, between marks."""
    head = f"{returned.evidence or 'no evidence'} · {returned.tool} · {returned.status}"
    if returned.source:
        head += f" · source {clean_text(returned.source)}"
    if returned.freshness:
        head += f" · newest row {returned.freshness.isoformat()}"
    body, is_cut = _within(_lines(returned), max(max_chars, ROOM.get(returned.tool, 0)))
    return "\n".join([head, fence.around(body), *([_more(returned)] if is_cut else [])])


def _more(returned: Returned) -> str:
    read = returned.args.get("evidence") if returned.tool == "read_evidence" else returned.evidence
    return MORE.format(evidence=read or "nothing")


def _within(lines: Iterator[str], max_chars: int) -> tuple[str, bool]:
    """As many whole lines as fit, and whether any was left out."""
    kept: list[str] = []
    room = max_chars
    for line in lines:
        line = clean_text(line)[:max_chars]
        if len(line) > room:
            return "\n".join(kept), True
        kept.append(line)
        room -= len(line) + 1
    return "\n".join(kept), False


def _lines(returned: Returned) -> Iterator[str]:
    """Most telling first: what comes late is what the budget cuts."""
    yield f"summary: {clip(returned.summary, 600)}"
    if asked := _settled(returned):
        yield f"asked: {clip(_json(asked), 500)}"
    yield from DIGESTS.get(returned.tool, _any)(returned, returned.data)


def _settled(returned: Returned) -> Data:
    """What the call left open and the tool settled: its real range, say. The planner knows what it wrote itself."""
    known = {"native", "as_of", "source", "of"}
    return {
        name: value
        for name, value in returned.query.items()
        if name not in known and returned.args.get(name) != value and value not in EMPTY
    }


def _any(returned: Returned, data: Data) -> Iterator[str]:
    """A tool's that has no form of its own here, such as one of an installed package."""
    yield from _figures(returned.figures, 6)
    yield from tables(data, said={*returned.query, *returned.figures})


def _logs(returned: Returned, data: Data) -> Iterator[str]:
    yield from _figures(returned.figures, 6)
    yield f"first {data.get('first_at')}, last {data.get('last_at')}"
    yield from _counts("services", data.get("services"))
    yield from _counts("levels", data.get("levels"))
    per_minute = data.get("per_minute") or []
    if per_minute:
        yield f"course ({data.get('bucket_s', 60)} s buckets with a match): {_course(per_minute)}"
    templates = data.get("templates") or []
    for template in templates[:8]:
        yield (
            f"template ×{template['count']} {template.get('service', '')} "
            f"{template.get('first_at')} to {template.get('last_at')}: {clip(template['template'], LINE_CHARS)}"
        )
    for match in _telling(data.get("matches") or []):
        where = f"{match['at']} {match.get('service', '')} {match.get('level', '')}"
        yield f"line {where}: {clip(match['message'], LINE_CHARS)}"
    for template in templates[:5]:
        yield f"example: {clip(template.get('example', ''), LINE_CHARS)}"


def _patterns(returned: Returned, data: Data) -> Iterator[str]:
    """What is new or more before what is gone, each by one of its lines, which can be quoted."""
    yield from _figures({name: value for name, value in returned.figures.items() if " " not in name}, 8)
    rows = data.get("patterns") or []
    for row in sorted(rows, key=lambda row: CHANGES.index(row["change"])):
        seen = f", {row['first_at']} to {row['last_at']}" if row.get("first_at") else ""
        line = row.get("example") or row.get("template", "")
        counted = f"{row['change'] or 'same'} ×{row['count']}, before ×{row['before']}"
        yield f"{counted}{seen}, {row['service']}: {clip(line, 240)}"


def _telling(matches: Sequence[Data]) -> list[Data]:
    """The newest lines that begin differently: ten times the same line tells no more than once."""
    seen: dict[str, Data] = {}
    for match in matches:
        seen.setdefault(f"{match.get('service')} {str(match.get('message'))[:24]}", match)
    return list(islice(seen.values(), 6))


def _metrics(returned: Returned, data: Data) -> Iterator[str]:
    series = sorted(data.get("series") or [], key=_movement, reverse=True)
    if len(series) > SERIES:
        yield "moved less, read as well: " + ", ".join(str(one["id"]) for one in series[SERIES:60])
    for one in series[:SERIES]:
        known = one.get("stats", {})
        stats = ", ".join(f"{name} {known[name]}" for name in STATS if name in known)
        yield f"series “{one['id']}” {one.get('unit', '')}: {stats}"
        yield f"  course: {_course(one.get('points') or [])}"
    if data.get("available"):
        yield "available: " + ", ".join(str(name) for name in data["available"][:60])


def _movement(series: Data) -> float:
    """How far a series strays from its median, in units of that median: what moved comes first."""
    stats = series.get("stats", {})
    middle = abs(stats.get("median") or 0.0)
    spread = max(abs((stats.get(end) or 0.0) - (stats.get("median") or 0.0)) for end in ("min", "max"))
    return float(spread / middle) if middle else float(spread)


def _changes(returned: Returned, data: Data) -> Iterator[str]:
    """What went live before what was only written: many commits must not push a deploy out of the budget."""
    yield from _figures(returned.figures, 6)
    newest_first = list(reversed(data.get("changes") or []))
    for is_commit in (False, True):
        group = [change for change in newest_first if (change["kind"] == "commit") == is_commit]
        yield from (_change_line(change) for change in group)
        for change in group[:4]:
            diff = clip(change.get("diff") or "", 500)
            if files := [name for name in change.get("files") or () if name not in diff]:
                yield f"files of “{change['id']}”: {', '.join(files[:6])}"
            if diff:
                yield f"diff of “{change['id']}”:\n{diff}"


def _change_line(change: Data) -> str:
    about = " ".join(str(change[name]) for name in ("service", "version") if change.get(name))
    words = clip(change.get("title") or change.get("text", ""), 200)
    return f"change {change['at']} {change['kind']} id “{change['id']}” {about}: {words}"


def _traces(returned: Returned, data: Data) -> Iterator[str]:
    yield from _figures(returned.figures, 6)
    for service in sorted(data.get("services") or [], key=lambda one: (-one["errors"], -one["p99_ms"]))[:10]:
        yield (
            f"service {service['service']}: {service['spans']} spans, {service['errors']} errors, "
            f"p50 {_number(service['p50_ms'])} ms, p99 {_number(service['p99_ms'])} ms"
        )
    for edge in sorted(data.get("edges") or [], key=lambda one: (-one["errors"], -one["calls"]))[:12]:
        yield f"calls {edge['caller']} to {edge['callee']}: {edge['calls']}, {edge['errors']} errors"
    for span in (data.get("errors") or [])[:5]:
        yield f"failing span {span['at']} {span['service']} {span['name']}: {clip(span['error'], LINE_CHARS)}"


def _read(returned: Returned, data: Data) -> Iterator[str]:
    for number, text in data.get("lines") or []:
        yield f"{number}: {text}"


def _findings(returned: Returned, data: Data) -> Iterator[str]:
    for one in data.get("findings") or []:
        about, outcome = one["hypothesis"] or "its question", one["outcome"] or "no outcome"
        yield f"{one['name']} on {about}, {outcome}: {one['summary']}"
        if one["reasoning"]:
            yield f"  because: {clip(one['reasoning'], 400)}"
        for claim in one["claims"][:8]:
            cited = claim["quote"] or f"{claim['figure']} = {claim['value']} {claim['at'] or ''}"
            yield f"  {claim['role']} {claim['evidence'] or claim['kind']}: {claim['statement']} [{clip(cited, 200)}]"
        yield from (f"  ruled out: {clip(words, 200)}" for words in one["ruled_out"][:4])
        yield from (f"  not checked: {clip(words, 200)}" for words in one["not_checked"][:4])


CHANGES = ("new", "multiplied", "gone", "")
DIGESTS: dict[str, Callable[[Returned, Data], Iterator[str]]] = {
    "search_logs": _logs,
    "log_patterns": _patterns,
    "query_metrics": _metrics,
    "list_changes": _changes,
    "query_traces": _traces,
    "read_evidence": _read,
    "investigate_hypotheses": _findings,
}


def _figures(figures: dict[str, float], most: int) -> Iterator[str]:
    if figures:
        yield "figures: " + ", ".join(f"{name} = {value}" for name, value in islice(figures.items(), most))


def _counts(name: str, counts: Data | None) -> Iterator[str]:
    if counts:
        largest = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:10]
        yield f"{name}: " + ", ".join(f"{key} {value}" for key, value in largest)


def _course(points: Sequence[Sequence[Any]]) -> str:
    """At most twelve points, the first, the last and the peak among them; the date only where it changes."""
    if not points:
        return "none"
    peak = max(range(len(points)), key=lambda index: points[index][1] or 0)
    step = max(1, len(points) // 9)
    chosen = sorted({*range(0, len(points), step), peak, len(points) - 1})
    parts, date = [], ""
    for at, value in (points[index] for index in chosen):
        day, _, clock = str(at).partition("T")
        parts.append(f"{clock if day == date else at} {_number(value)}")
        date = day
    return ", ".join(parts)


def _number(value: Any) -> str:
    """Short, for the course of things. What can be cited is written out in full instead."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _json(value: Any) -> str:
    return json.dumps(clean(value), ensure_ascii=False, sort_keys=True)

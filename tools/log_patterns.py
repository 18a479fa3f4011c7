"""log_patterns: which kinds of lines a range holds, beside a baseline: what is new, what has multiplied, what has gone.

data = {
  "patterns": [{
     "template": str,               # <*> or <n>, <ip>, … where lines of one statement differ
     "service": str, "count": int,  # in the range
     "before": int,                 # in the baseline
     "per_minute": f, "per_minute_before": f,
     "change": "new" | "multiplied" | "gone" | "",
     "z": f,                        # how surprising the change of the rate is, in standard deviations
     "first_at": iso | null, "last_at": iso | null, "example": str
  }, …],                            # most surprising changes first, then most frequent; at most `limit`
  "templates": int,                 # how many there are in range and baseline together
  "new": int, "multiplied": int, "gone": int,
  "baseline": {"since": iso, "until": iso, "lines": int, "source": str}
}
figures: total, before, templates, new, multiplied, gone, "pattern <service> <template>" (its count).
source = "<name>:logs"
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import Field

from tools.analysis.templates import join
from tools.analysis.windows import RateChange, compare_counts
from tools.base import Params, Risk, Status, Tool, ToolContext, ToolError, ToolResult
from tools.reach import Reach, ask_each, reach
from tools.sources.folder import BASELINE
from tools.sources.logs.levels import LEVELS, UNKNOWN
from tools.sources.logs.matching import compile_pattern
from tools.sources.logs.search import LogHits, LogQuery, LogSource, TemplateCount
from tools.sources.timestamps import iso, iso_us, to_us
from tools.timerange import TimeRange, resolve

GONE_Z = -4.0
EXAMPLE_LENGTH = 400


class LogPatterns(Params):
    pattern: str = Field(
        "", max_length=512, description="Only lines that match this RE2 expression; empty: every line."
    )
    source: str = Field("", description="Name of a source; empty reads all of them.")
    service: str = Field("", description="Exact service name; empty means every service.")
    level: Literal["", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"] = Field("", description="This level or worse.")
    since: str = Field("", description="'last 5 hours', '30m', or ISO 8601. Empty: the start of the data.")
    until: str = Field("", description="ISO 8601 or a phrase; empty: the run's as-of time.")
    baseline_since: str = Field("", description="Start of a quiet time to compare with; empty: as long as the range.")
    baseline_until: str = Field("", description="End of it; empty: where the range starts.")
    limit: int = Field(30, ge=1, le=200)


@dataclass(frozen=True, slots=True)
class Pattern:
    """One kind of line, in the range and before."""

    template: str
    service: str
    count: int
    before: int
    rate: RateChange
    example: str
    first_us: int | None = None
    last_us: int | None = None
    has_baseline: bool = True

    @property
    def change(self) -> str:
        if not self.has_baseline:
            return ""
        if self.count and not self.before:
            return "new"
        if self.rate.is_multiplied:
            return "multiplied"
        return "gone" if not self.count and self.rate.z <= GONE_Z else ""


def run(context: ToolContext, params: LogPatterns) -> ToolResult:
    sources = context.sources.logs(params.source)
    within = reach(context, "logs", sources, params.since, params.until)
    quiet, quiet_range, quiet_name = _baseline(context, params, sources, within)
    now, notes = _hits(sources, within.range, params)
    before, _ = _hits(quiet, quiet_range, params)
    found = _ranked(_patterns(now, before, within.range, quiet_range))
    counts = {name: sum(one.change == name for one in found) for name in ("new", "multiplied", "gone")}
    baseline = {
        "since": iso(quiet_range.since), "until": iso(quiet_range.until), "lines": before.total, "source": quiet_name,
    }  # fmt: skip
    shown = found[: params.limit]
    return ToolResult(
        status=_status(found, shown, now),
        summary=_summary(within, now, before, found, counts) + within.notes(*notes),
        data={"patterns": [_row(one) for one in shown], "templates": len(found), **counts, "baseline": baseline},
        figures=_figures(now, before, shown, counts) | {"templates": len(found)},
        query=within.query(**params.model_dump(include={"pattern", "service", "level"}), baseline=baseline),
        source=within.source,
        freshness=within.newest,
        skipped=within.skipped,
    )


def _baseline(
    context: ToolContext, params: LogPatterns, sources: list[LogSource], within: Reach
) -> tuple[list[LogSource], TimeRange, str]:
    """Where the quiet lines are: the range that was asked for, the folder baseline/ beside, or the time just before."""
    if params.baseline_since or params.baseline_until:
        until = params.baseline_until or iso(within.range.since)
        return sources, resolve(params.baseline_since, until, context.as_of, within.oldest), within.source
    beside = [one for source in sources for one in _beside(context, source.name)]
    states = [state for one in beside if (state := one.state()).oldest and state.newest]
    if states:
        oldest, newest = (
            min(state.oldest for state in states if state.oldest),
            max(state.newest for state in states if state.newest),
        )
        return beside, resolve("", iso(newest), newest, oldest), "+".join(f"{one.name}:logs" for one in beside)
    return sources, within.range.before(), within.source


def _beside(context: ToolContext, name: str) -> list[LogSource]:
    try:
        return context.sources.logs(f"{name}-{BASELINE}")
    except ToolError:
        return []


def _hits(sources: Sequence[LogSource], where: TimeRange, params: LogPatterns) -> tuple[LogHits, list[str]]:
    """What the lines of the range are, and what is not known of them. Raises ToolError where no source answers."""
    query = LogQuery(
        pattern=compile_pattern(params.pattern, ignore_case=True),
        service=params.service,
        level=LEVELS.index(params.level) if params.level else UNKNOWN,
        since_us=to_us(where.since),
        until_us=to_us(where.until),
        bucket_us=60_000_000,
        limit=0,
    )
    answers = ask_each(sources, lambda source: source.search(query))
    hits = LogHits()
    for found in answers.found:
        hits.add(found, 0)
    return hits, answers.notes


def _patterns(now: LogHits, before: LogHits, here: TimeRange, there: TimeRange) -> list[Pattern]:
    by_service: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for hits in (now, before):
        for (service, key), found in hits.templates.items():
            by_service[service][key] += found.count
    return [
        _pattern(service, template.text, template.members, now, before, here, there)
        for service, counts in by_service.items()
        for template in join(counts)
    ]


def _pattern(
    service: str, text: str, members: Iterable[str], now: LogHits, before: LogHits, here: TimeRange, there: TimeRange
) -> Pattern:
    inside, quiet = (_summed(hits.templates, service, members) for hits in (now, before))
    count, earlier = (one.count if one else 0 for one in (inside, quiet))
    rate = compare_counts(earlier, there.seconds / 60, count, here.seconds / 60)
    example = (inside or quiet or TemplateCount(0, 0, 0, service, "")).example[:EXAMPLE_LENGTH]
    first, last = (inside.first_us, inside.last_us) if inside else (None, None)
    return Pattern(text, service, count, earlier, rate, example, first, last, before.total > 0)


def _summed(
    templates: Mapping[tuple[str, str], TemplateCount], service: str, members: Iterable[str]
) -> TemplateCount | None:
    parts = [templates[service, key] for key in members if (service, key) in templates]
    if not parts:
        return None
    whole = replace(parts[0])
    for part in parts[1:]:
        whole.add(part)
    return whole


def _ranked(found: list[Pattern]) -> list[Pattern]:
    return sorted(
        found, key=lambda one: (not one.change, -abs(one.rate.z) if one.change else 0.0, -one.count, one.template)
    )


def _status(found: list[Pattern], shown: list[Pattern], now: LogHits) -> Status:
    if not now.total and not any(one.change for one in found):
        return Status.NO_DATA
    return Status.TRUNCATED if len(shown) < len(found) or now.is_cut else Status.SUCCESS


def _row(one: Pattern) -> dict[str, Any]:
    return {
        "template": one.template, "service": one.service, "count": one.count, "before": one.before,
        "per_minute": round(one.rate.after_per_minute, 4), "per_minute_before": round(one.rate.before_per_minute, 4),
        "change": one.change, "z": round(one.rate.z, 2),
        "first_at": None if one.first_us is None else iso_us(one.first_us),
        "last_at": None if one.last_us is None else iso_us(one.last_us), "example": one.example,
    }  # fmt: skip


def _figures(now: LogHits, before: LogHits, shown: list[Pattern], counts: dict[str, int]) -> dict[str, float]:
    named = {f"pattern {one.service or '(none)'} {one.template}"[:400]: float(one.count) for one in shown}
    return {"total": now.total, "before": before.total, **counts, **named}


def _summary(within: Reach, now: LogHits, before: LogHits, found: list[Pattern], counts: dict[str, int]) -> str:
    if not now.total and not before.total:
        return f"No line in {within.words()}; {within.span()}"
    changes = ", ".join(f"{number} {name}" for name, number in counts.items() if number) or "none new or multiplied"
    changes = changes if before.total else "nothing to compare with"
    told = [one for one in found if one.change in ("new", "multiplied")][:2]
    most = "".join(f"; {one.change}: {_said(one)}" for one in told)
    return f"{now.total:,} lines of {len(found):,} kinds in {within.words()}, {before.total:,} before: {changes}{most}"


def _said(one: Pattern) -> str:
    text = one.template if len(one.template) <= 100 else f"{one.template[:99]}…"
    before = f", {one.before:,} before" if one.before else ""
    return f"“{text}” ({f'{one.service}, ' if one.service else ''}{one.count:,}{before})"


TOOL = Tool(
    name="log_patterns",
    summary="Group log lines into patterns and compare them with a baseline: which kinds of lines are new, have "
    "multiplied or are gone.",
    params=LogPatterns,
    risk=Risk.READ,
    run=run,
    needs=("logs",),
)

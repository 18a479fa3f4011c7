"""The time in question beside a quiet one: reads spans, lines and series of both. Judges neither; no tool lives here.

Quiet is what lies before the window, and all of a source's `baseline/` folder.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from tools.analysis.requests import Line
from tools.analysis.templates import join
from tools.base import ToolContext, ToolError
from tools.reach import ask_each
from tools.sources.logs.entry import Entry
from tools.sources.logs.levels import UNKNOWN
from tools.sources.logs.masking import template_of
from tools.sources.logs.search import LogQuery
from tools.sources.metrics.query import MetricQuery, Series
from tools.sources.spec import Kind
from tools.sources.timestamps import to_us
from tools.sources.traces.forest import Forest
from tools.sources.traces.span import Span
from tools.timerange import TimeRange, resolve

MOST_LINES = 40_000  # of each time, the newest
SHARE_IN_QUESTION = 0.2  # of what there is, where nobody says since when
BEFORE_ALERT = timedelta(minutes=10)
LOOK_BACK = timedelta(hours=6)  # of a service that does not say how far back it reaches
EVER_US, LAST_US = 0, 2**62  # a baseline may have been taken before or after, and is read whole
HOUR_US = 3_600_000_000
TRACE_IDS = ("trace_id", "traceId", "traceID", "trace.id", "dd.trace_id", "otelTraceID")
SPAN_IDS = ("span_id", "spanId", "spanID", "span.id", "dd.span_id", "otelSpanID")


Masked = tuple[Entry, str]  # an entry and its message with all that varies masked


@dataclass(frozen=True, slots=True)
class TwoTimes:
    context: ToolContext
    window: TimeRange
    newest: datetime | None  # row of the sources
    source: str  # "shop:logs+shop:metrics": all that may be read
    earliest_us: int = 0  # where the quiet time begins; what lives on is not asked for all that it ever held

    @property
    def since_us(self) -> int:
        return to_us(self.window.since)

    @property
    def until_us(self) -> int:
        return to_us(self.window.until)

    def forests(self) -> tuple[Forest, Forest]:
        """Traces that begin in the window, and those of the quiet time."""
        early = self._spans(self._quiet("traces"), LAST_US)
        every = Forest(self._spans(self._main("traces"), self.until_us))
        now = every.keep(lambda trace: min(span.start_us for span in trace) >= self.since_us)
        before = [span for span in every.spans if span.trace_id not in now.traces]
        return now, Forest([*early, *before])

    def lines(self) -> tuple[list[Line], list[Line]]:
        """Lines that name their trace. Templates are joined over both times, so that they compare."""
        now = self._entries(self._main("logs"), self.since_us, self.until_us)
        quiet = self._entries(self._main("logs"), self.earliest_us, self.since_us)
        quiet += self._entries(self._quiet("logs"), EVER_US, LAST_US)
        joined = _joined([*now, *quiet])
        return list(_lines(now, joined)), list(_lines(quiet, joined))

    def series(self) -> list[tuple[Series, Series]]:
        """Each series in the window with its quiet part, by id."""
        quiet = {one.id: one for one in self._all_series(self._quiet("metrics"), EVER_US, LAST_US)}
        pairs = []
        for one in self._all_series(self._main("metrics"), self.earliest_us, self.until_us):
            now = one.between(self.since_us, self.until_us)
            before = one.between(self.earliest_us, self.since_us)
            if len(now.times):
                pairs.append((now, _behind(quiet[one.id], before) if one.id in quiet else before))
        return pairs

    def topology(self) -> list[tuple[str, str]]:
        asked = self.context.sources
        return sorted({edge for name in self._main("traces") for one in asked.traces(name) for edge in one.topology()})

    def _main(self, kind: Kind) -> list[str]:
        """The empty name, which asks every source but baselines, where any holds this kind."""
        return [""] if kind in self.context.sources.kinds() else []

    def _quiet(self, kind: Kind) -> list[str]:
        return self.context.sources.baselines(kind)

    def _spans(self, names: Iterable[str], until_us: int) -> list[Span]:
        asked = self.context.sources
        return [span for name in names for one in asked.traces(name) for span in one.spans(EVER_US, until_us)]

    def _entries(self, names: Iterable[str], since_us: int, until_us: int) -> list[Masked]:
        query = LogQuery(None, "", UNKNOWN, since_us, until_us, HOUR_US, MOST_LINES)
        asked = [one for name in names for one in self.context.sources.logs(name)]
        searched = ask_each(asked, lambda source: source.search(query)).found
        return [(entry, template_of(entry.message)) for hits in searched for entry in hits.newest]

    def _all_series(self, names: Iterable[str], since_us: int, until_us: int) -> list[Series]:
        query = MetricQuery(since_us=since_us, until_us=until_us)
        asked = [one for name in names for one in self.context.sources.metrics(name)]
        return [series for part in ask_each(asked, lambda source: source.series(query)).found for series in part]


def two_times(context: ToolContext, since: str, until: str) -> TwoTimes:
    """Raises ToolError where nothing can be read, or for a range that cannot be."""
    kinds = ("logs", "traces", "metrics")
    every = [state for state in context.sources.states() if state.kind in kinds and not state.problem]
    names = {name for kind in ("logs", "traces", "metrics") for name in context.sources.baselines(kind)}
    mine = [state for state in every if state.name not in names and (state.oldest or state.rows is None)]
    source = "+".join(f"{state.name}:{state.kind}" for state in mine)
    oldest = min((state.oldest for state in mine if state.oldest), default=None)
    lives_on = any(state.rows is None for state in mine)
    if oldest is None and lives_on:
        oldest = context.as_of - LOOK_BACK
    newest = max((state.newest for state in mine if state.newest), default=None)
    if oldest is None:
        raise ToolError("No logs, metrics or traces could be read, so there is nothing to compare.")
    if since:
        window = resolve(since, until, context.as_of, oldest)
    else:
        told = [state.oldest for state in mine if state.oldest and state.kind != "metrics"] or [oldest]
        begin = min(told) if names else _last_part(context, oldest)
        window = TimeRange(begin, resolve("", until, context.as_of, oldest).until)
    return TwoTimes(context, window, newest, source, to_us(window.since - LOOK_BACK) if lives_on else EVER_US)


def _last_part(context: ToolContext, oldest: datetime) -> datetime:
    """The last fifth of what there is, from before the alert on where it fired earlier."""
    begin = context.as_of - SHARE_IN_QUESTION * (context.as_of - oldest)
    if context.focus is not None and oldest < context.focus - BEFORE_ALERT < begin:
        return context.focus - BEFORE_ALERT
    return begin


def _behind(quiet: Series, before: Series) -> Series:
    """The quiet folder's points and those before the window, in order of time."""
    times = np.concatenate([quiet.times, before.times])
    values = np.concatenate([quiet.values, before.values])
    order = np.argsort(times, kind="stable")
    return Series(quiet.service, quiet.name, times[order], values[order], quiet.labels, quiet.unit)


def _joined(entries: Iterable[Masked]) -> dict[tuple[str, str], str]:
    """The template that each masked message of a service belongs to."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for entry, masked in entries:
        counts[entry.service][masked] += 1
    groups = [(service, group) for service, found in counts.items() for group in join(found)]
    return {(service, key): group.text for service, group in groups for key in group.members}


def _lines(entries: Iterable[Masked], joined: Mapping[tuple[str, str], str]) -> Iterator[Line]:
    for entry, masked in entries:
        trace_id = next((str(entry.fields[name]) for name in TRACE_IDS if entry.fields.get(name)), "")
        if trace_id:
            yield Line(
                service=entry.service,
                trace_id=trace_id,
                span_id=next((str(entry.fields[name]) for name in SPAN_IDS if entry.fields.get(name)), ""),
                template=joined[entry.service, masked],
                is_error=entry.level in ("ERROR", "FATAL"),
                is_routine=entry.level in ("", "DEBUG", "INFO"),
            )

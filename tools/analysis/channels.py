"""The channels that signs come from: spans, lines, series. Each compares a time with a quiet one and names services.

Which sign to believe is decided in suspicion.py; what is surprising, in surprise.py and tails.py.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tools.analysis.carriers import Carried, Course, carriers
from tools.analysis.changepoints import Values
from tools.analysis.metric_words import SYMPTOMS, kind_of
from tools.analysis.requests import AnyForest as Requests
from tools.analysis.requests import Share, Written, error_shares, missing_lines
from tools.analysis.spans import AnyForest, Lap, Slowdown, gap_laps, self_laps, slowdowns
from tools.analysis.surprise import shift_surprise
from tools.analysis.suspicion import Sign
from tools.analysis.tails import Stray, Strip, strays

SELF_TIME, CALL_GAP, ERRORS, MISSING_LINES = "self time", "call gap", "errors", "missing lines"
TOLD_BY_TRACES = ("latency", "error")  # spans tell these better than a percentile a minute
SHORT = 90  # characters of a template in a sentence


def span_signs(now: AnyForest, quiet: AnyForest) -> list[Sign]:
    alone = _surprising(self_laps(now), self_laps(quiet))
    between = _surprising(gap_laps(now), gap_laps(quiet))
    return [
        *(_slow(one, SELF_TIME, "each of its operations takes by itself") for one in alone),
        *(_slow(one, CALL_GAP, "a call to it takes between caller and callee") for one in between),
    ]


def _surprising(now: Sequence[Lap], quiet: Sequence[Lap]) -> list[tuple[Slowdown, float]]:
    found = slowdowns(now, quiet)
    return [(one, shift_surprise(one.z, len(found) - 1)) for one in found if len(found) > 1]


def _slow(found: tuple[Slowdown, float], channel: str, words: str) -> Sign:
    one, surprise = found
    slowest = f"{duration(one.now_ms)} where slowest, usually {duration(one.quiet_ms)}"
    return Sign(
        one.service,
        channel,
        surprise,
        f"{words} {one.ratio:.3g} times as long: {slowest}",
        one.now_ms,
        one.quiet_ms,
        "ms",
    )


def duration(ms: float) -> str:
    return f"{ms / 1000:.3g} s" if ms >= 1000 else f"{ms:.3g} ms"


def line_signs(now: Requests, now_lines: Written, quiet: Requests, quiet_lines: Written) -> list[Sign]:
    errors = error_shares(now, now_lines, quiet, quiet_lines)
    missing = missing_lines(now, now_lines, quiet, quiet_lines)
    return [*(_erring(share) for share in errors), *(_lacking(share) for share in missing)]


def _erring(share: Share) -> Sign:
    said = (
        f"{share.hits} of {share.trials} requests write an error that nothing below explains (“{_short(share.what)}”)"
    )
    return _sign(share, ERRORS, said, "% of requests")


def _lacking(share: Share) -> Sign:
    what = f"the line “{_short(share.what)}”" if share.what else "any line"
    said = f"{share.hits} of {share.trials} runs of {share.operation} end without {what}, which it always wrote"
    return _sign(share, MISSING_LINES, said, "% of runs")


def _sign(share: Share, channel: str, said: str, unit: str) -> Sign:
    usual = share.quiet_hits / share.quiet_trials if share.quiet_trials else 0.0
    before = f"{said}; {share.quiet_hits} of {share.quiet_trials} in the quiet time"
    return Sign(share.service, channel, share.surprise, before, 100 * share.hits / share.trials, 100 * usual, unit)


def _short(template: str) -> str:
    line = " ".join(template.split())
    return line if len(line) <= SHORT else f"{line[:SHORT].rsplit(' ', 1)[0]} …"


@dataclass(frozen=True, slots=True)
class Measured:
    """A series in the window and in its quiet time, turned so that up is bad. `service` is whom it speaks of."""

    service: str
    metric: str
    id: str
    times: tuple[int, ...]
    now: Values
    quiet: Values
    turned: Turned

    def value(self, turned: float) -> float:
        """As the series itself has it."""
        return self.turned.back(turned)


@dataclass(frozen=True, slots=True)
class Turned:
    """How values were turned: v → base + sign · v."""

    sign: float = 1.0
    base: float = 0.0

    def of(self, values: Values) -> Values:
        return self.base + self.sign * values

    def back(self, value: float) -> float:
        return (value - self.base) * self.sign


def turn(values: Values, is_worse_down: bool) -> Turned:
    """What is missing to the whole, for a share of 1 or 100; else the other way round."""
    if not is_worse_down:
        return Turned()
    highest, lowest = float(values.max()), float(values.min())
    if lowest >= 0 and highest <= 100:
        return Turned(-1.0, 1.0 if highest <= 1 else 100.0)
    return Turned(-1.0)


def metric_signs(measured: Iterable[Measured], is_traced: bool) -> list[Sign]:
    """Per service and metric, less what comes from having looked at so many metrics of it.

    A series that several services share to the last digit is their host's, and tells nothing of which of them it is.
    """
    by_metric: dict[str, list[Measured]] = defaultdict(list)
    for one in measured:
        kind = kind_of(one.metric)
        if kind not in ("traffic", "other") and not (is_traced and kind in TOLD_BY_TRACES):
            by_metric[one.metric].append(one)
    found = [pair for group in by_metric.values() for pair in _strays(group)]
    looks = Counter(stray.service for stray, _ in found)
    return [
        sign for stray, one in found
        if (sign := _straying(stray, one, math.log10(looks[stray.service]))).surprise > 0
    ]  # fmt: skip


def _strays(group: Sequence[Measured]) -> list[tuple[Stray, Measured]]:
    shared = Counter((one.times, one.now.tobytes()) for one in group)
    own = {one.id: one for one in group if shared[one.times, one.now.tobytes()] == 1}
    found = strays([Strip(one.service, one.id, one.quiet, one.now) for one in own.values()])
    return [(stray, own[stray.id]) for stray in found]


def _straying(stray: Stray, one: Measured, looks: float) -> Sign:
    now, usual = one.value(stray.level), one.value(stray.usual)
    return Sign(
        stray.service, one.metric, max(0.0, stray.surprise - looks), f"{one.metric} is {now:.4g}, usually {usual:.4g}",
        now, usual, is_symptom=kind_of(one.metric) in SYMPTOMS,
    )  # fmt: skip


def carrier_signs(alert: Measured, measured: Iterable[Measured], callees: Mapping[str, frozenset[str]]) -> list[Sign]:
    """Of the services that have the alert's metric: who moves with it, as far as no callee explains."""
    group = {one.service: one for one in measured if one.metric == alert.metric and one.service != alert.service}
    courses = {name: Course(name, _along(alert, one), float(np.median(one.quiet))) for name, one in group.items()
               if len(one.quiet)}  # fmt: skip
    course = Course(alert.service, alert.now, float(np.median(alert.quiet)) if len(alert.quiet) else 0.0)
    strayed = {stray.service: (stray, one) for stray, one in _strays([alert, *group.values()])}
    found = carriers(course, courses, callees)
    return [_carrying(one, *strayed[one.service], alert) for one in found if one.service in strayed and one.share > 0]


def _along(alert: Measured, one: Measured) -> Values:
    known = dict(zip(one.times, one.now.tolist(), strict=True))
    return np.array([known.get(at, math.nan) for at in alert.times])


def _carrying(carried: Carried, stray: Stray, one: Measured, alert: Measured) -> Sign:
    now, usual = one.value(stray.level), one.value(stray.usual)
    said = (
        f"{one.metric} is {now:.4g}, usually {usual:.4g}, and moves with that of {alert.service} "
        f"(r² {carried.moves_with:.2f})"
    )
    passed = f"; {carried.explained_by}, which it calls, explains most of it" if carried.explained_by else ""
    return Sign(one.service, one.metric, carried.share * stray.surprise, said + passed, now, usual)

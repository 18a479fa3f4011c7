"""rank_suspects: which services behave least as in a quiet time, each channel judged by its own quiet time.

data = {
  "since": iso, "until": iso,
  "suspects": [{
     "service": str, "surprise": f,          # decimal digits of rarity: 2 is "as far out in one of 100 quiet times"
     "is_convincing": bool,
     "signs": [{"channel": str, "surprise": f, "words": str, "now": f, "usual": f, "unit": str}, …]
                                              # most surprising first, at most MOST_SIGNS
  }, …],                                      # most suspicious first, at most MOST_SUSPECTS: by surprise, but a caller
                                              # that errs or is slow comes after a callee that explains it
  "channels": [{"channel": str, "service": str, "surprise": f}, …],   # the top of each, most surprising first
  "follows": {"service": str, "metric": str} | {},   # the alerting series that others were compared with
  "not_compared": [str, …]                    # channels that had no quiet time or nothing to compare, in words
}
Where an alert names a series that several services have, those count that move with it, as far as no callee explains
their excess. figures: "<service> <channel> now" and "… usual" of every sign.
source = "<name>:<kind>+…", all that were read
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from tools.analysis.callgraph import CallGraph
from tools.analysis.channels import Measured, carrier_signs, line_signs, metric_signs, span_signs, turn
from tools.analysis.metric_words import is_worse
from tools.analysis.requests import Written
from tools.analysis.suspicion import CONVINCING, Sign, Suspect, rank
from tools.base import Params, Risk, Status, Tool, ToolContext, ToolResult
from tools.sources.metrics.query import Series
from tools.sources.timestamps import iso
from tools.sources.traces.forest import Forest
from tools.two_times import TwoTimes, two_times

MOST_SUSPECTS = 10
MOST_SIGNS = 4
TELLING = 0.5  # of a sign beside the first: as far out in one of three quiet times
FEWEST_ALIKE = 3  # services with the alert's metric, for the comparison with it to mean anything


class RankSuspects(Params):
    service: str = Field("", max_length=200, description="The service that alerts, if one does; empty: the alert's.")
    metric: str = Field("", max_length=200, description="The metric that alerts; empty: the alert's.")
    since: str = Field(
        "",
        description="Since when: 'last 30m' or ISO 8601. Empty: all that is no baseline, or the last fifth.",
    )
    until: str = Field("", description="ISO 8601 or a phrase; empty: the run's as-of time.")


def run(context: ToolContext, params: RankSuspects) -> ToolResult:
    times = two_times(context, params.since, params.until)
    now, quiet = times.forests()
    edges = [(call.caller, call.callee) for call in now.calls_of(now.spans)]
    graph = CallGraph.of([*edges, *times.topology()])
    measured = [_measured(now_part, usual, graph) for now_part, usual in times.series()]
    alert = _alerting(context, params, measured)
    followed = carrier_signs(alert, _below(measured, alert, graph), graph.callees) if alert else []
    signs = followed or [*_request_signs(times, now, quiet), *metric_signs(_served(measured, now), bool(now.spans))]
    suspects = rank(signs, graph.below)
    return ToolResult(
        status=Status.SUCCESS if suspects else Status.NO_DATA,
        summary=_summary(times, suspects),
        data=_data(times, suspects, alert if followed else None, _not_compared(now, quiet, measured)),
        figures=_figures(suspects),
        query={"service": params.service, "metric": params.metric, "since": iso(times.window.since),
               "until": iso(times.window.until), "as_of": iso(context.as_of)},
        source=times.source,
        freshness=times.newest,
    )  # fmt: skip


def _request_signs(times: TwoTimes, now: Forest, quiet: Forest) -> list[Sign]:
    if not now.spans or not quiet.spans:
        return []
    now_lines, quiet_lines = times.lines()
    return [*span_signs(now, quiet), *line_signs(now, Written.of(now_lines), quiet, Written.of(quiet_lines))]


def _measured(now: Series, quiet: Series, graph: CallGraph) -> Measured:
    """A series whose label names a peer speaks of the call between the two: of the one that is called."""
    every = np.concatenate([quiet.values, now.values])
    turned = turn(every, is_worse_down=is_worse(now.name, "down") and not is_worse(now.name, "up"))
    peers = [value for value in now.labels.values() if value in graph.callees.get(now.service, frozenset())]
    about = peers[0] if peers else now.service
    return Measured(
        about, now.name, now.id, tuple(now.times.tolist()), turned.of(now.values), turned.of(quiet.values), turned
    )


def _served(measured: list[Measured], now: Forest) -> list[Measured]:
    """Where traces show who serves, the others are beside the point."""
    seen = {span.service for span in now.spans} | {span.peer for span in now.spans}
    return [one for one in measured if not now.spans or one.service in seen]


def _alerting(context: ToolContext, params: RankSuspects, measured: list[Measured]) -> Measured | None:
    alert = context.sources.alert()
    service, metric = (asked or str(alert.get(key, "")) for key, asked in
                       (("service", params.service), ("metric", params.metric)))  # fmt: skip
    named = [one for one in measured if one.metric == metric]
    mine = [one for one in named if one.service == service]
    alike = {one.service for one in named} - {service}
    return mine[0] if len(mine) == 1 and len(alike) >= FEWEST_ALIKE else None


def _below(measured: list[Measured], alert: Measured, graph: CallGraph) -> list[Measured]:
    """What the alerting service depends on; all of them where calls are not known."""
    below = graph.below(alert.service)
    return [one for one in measured if one.service in below] if below else measured


def _not_compared(now: Forest, quiet: Forest, measured: list[Measured]) -> list[str]:
    said = []
    if not now.spans or not quiet.spans:
        said.append("traces and the lines in them: none in " + ("the window" if not now.spans else "a quiet time"))
    if not any(len(one.quiet) for one in measured):
        said.append("metrics: none in a quiet time" if measured else "metrics: none in the window")
    return said


def _data(times: TwoTimes, suspects: list[Suspect], alert: Measured | None, not_compared: list[str]) -> dict[str, Any]:
    return {
        "since": iso(times.window.since),
        "until": iso(times.window.until),
        "suspects": [_suspect(one) for one in suspects[:MOST_SUSPECTS]],
        "channels": _channels(suspects),
        "follows": {"service": alert.service, "metric": alert.metric} if alert else {},
        "not_compared": not_compared,
    }


def _suspect(one: Suspect) -> dict[str, Any]:
    signs = [
        {"channel": sign.channel, "surprise": round(sign.surprise, 2), "words": sign.words, "now": _short(sign.now),
         "usual": _short(sign.usual), "unit": sign.unit}
        for sign in _shown(one)
    ]  # fmt: skip
    return {
        "service": one.service,
        "surprise": round(one.surprise, 2),
        "is_convincing": one.is_convincing,
        "signs": signs,
    }


def _shown(one: Suspect) -> list[Sign]:
    """The first sign, and others that say something."""
    return [sign for place, sign in enumerate(one.signs[:MOST_SIGNS]) if place == 0 or sign.surprise >= TELLING]


def _channels(suspects: list[Suspect]) -> list[dict[str, Any]]:
    tops: dict[str, Sign] = {}
    for sign in (sign for one in suspects for sign in one.signs):
        if sign.channel not in tops or sign.surprise > tops[sign.channel].surprise:
            tops[sign.channel] = sign
    ordered = sorted(tops.values(), key=lambda sign: (-sign.surprise, sign.channel))
    return [
        {"channel": sign.channel, "service": sign.service, "surprise": round(sign.surprise, 2)} for sign in ordered[:20]
    ]


def _figures(suspects: list[Suspect]) -> dict[str, float]:
    shown = [sign for one in suspects[:MOST_SUSPECTS] for sign in _shown(one)]
    figures: dict[str, float] = {}
    for sign in shown:
        figures[f"{sign.service} {sign.channel} now"] = _short(sign.now)
        figures[f"{sign.service} {sign.channel} usual"] = _short(sign.usual)
    return figures


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _summary(times: TwoTimes, suspects: list[Suspect]) -> str:
    range_ = f"{times.window.since:%H:%M:%S}–{times.window.until:%H:%M:%S} UTC"
    if not suspects or not suspects[0].is_convincing:
        closest = f"; closest: {suspects[0].service}: {suspects[0].signs[0].words}" if suspects else ""
        return f"Nothing in {range_} is as far out as in one of 100 quiet times{closest}"
    convincing = [one for one in suspects if one.surprise >= CONVINCING]
    first = f"{convincing[0].service}: {convincing[0].signs[0].words}"
    others = f"; then {', '.join(one.service for one in convincing[1:4])}" if len(convincing) > 1 else ""
    return f"{_counted(len(convincing))} in {range_}; {first}{others}"


def _counted(many: int) -> str:
    return "1 service strays" if many == 1 else f"{many} services stray"


TOOL = Tool(
    name="rank_suspects",
    summary="Rank the services by how surprising their spans, errors, missing lines and metrics are beside a quiet "
    "time: whom to suspect first, and by which sign.",
    params=RankSuspects,
    risk=Risk.READ,
    run=run,
    timeout_s=60.0,
)

"""What a metric's own name says of it: error, latency, saturation, …, and which way is bad news. Knows no service."""

from __future__ import annotations

from typing import Literal

import re2

Signal = Literal["error", "latency", "availability", "saturation", "efficiency", "traffic", "other"]

_KINDS: tuple[tuple[Signal, str], ...] = (
    ("efficiency", r"hit_?(ratio|rate)|cache_?hits?$|success_?(ratio|rate)|availability|uptime|result_?count"),
    ("availability", r"restart|ready|replicas|healthy|crash|oom|\bup\b|pod_(status|phase)|node_status"),
    (
        "saturation",
        r"cpu|mem|heap|disk|pool|queue|backlog|lag|thread|conn|pending|waiting|throttl|inode|fd_|handles|saturat|used_?(pct|ratio|percent)"
        r"|utili[sz]ation|gc_|goroutine|pressure|buffer|rows_examined|working_set|load_?avg|locks",
    ),
    (
        "error",
        r"err|fail|5xx|4xx|\b[45]\d\d\b|_[45]\d\d_|fault|exception|reject|timeout|exhaust|denied|unauthor|servfail|dropped|aborted|refused",
    ),
    ("latency", r"laten|duration|response_?time|elapsed|p\d\d|_ms$|_seconds$|rtt|delay|wait"),
    ("traffic", r"rps|qps|tps|requests?|per_?sec|throughput|rate$|lps|traffic|invocations|calls|_count$|volume|ops"),
)
_COMPILED = tuple((kind, re2.compile(f"(?i){pattern}")) for kind, pattern in _KINDS)
_ERROR_FIRST = re2.compile(r"(?i)err|fail|5xx|4xx|exception|timeouts?_total|servfail|exhaust")
_HEADROOM = re2.compile(
    r"(?i)(disk|volume|filesystem|storage|space|partition|mem|heap|swap|inode|fd|cpu|conn|pool|slot|thread|worker).*_"
    r"(free|avail|available|remaining|idle)(_|$)|^(free|available|remaining|idle)_(disk|volume|storage|space|mem|inode|cpu)"
)
_WORSE_DOWN = ("efficiency",)
_COUNT_OF_ALIVE = re2.compile(r"(?i)ready|replicas|healthy|\bup\b|uptime")

SYMPTOMS: tuple[Signal, ...] = ("error", "latency", "availability")


def kind_of(metric: str) -> Signal:
    """The kind of signal a metric's name speaks of."""
    if _ERROR_FIRST.search(metric) and not metric.lower().endswith("_ms"):
        return "error"
    if is_headroom(metric):
        return "saturation"
    return next((kind for kind, pattern in _COMPILED if pattern.search(metric)), "other")


def is_headroom(metric: str) -> bool:
    """Whether a metric counts what is left of a resource, so that less of it is worse."""
    return _HEADROOM.search(metric) is not None


def is_worse(metric: str, direction: str) -> bool:
    """Whether a departure in that direction is bad news. What has no good side counts as bad either way."""
    kind = kind_of(metric)
    if kind in _WORSE_DOWN or is_headroom(metric) or (kind == "availability" and _COUNT_OF_ALIVE.search(metric)):
        return direction == "down"
    if kind in ("error", "latency", "availability"):
        return direction == "up"
    return True


_DEMAND = re2.compile(r"(?i)request|quer|rps|qps|\bops|_ops|invocation|calls|commands|traffic")


def is_demand(metric: str) -> bool:
    """Whether a traffic metric counts what comes in, rather than work the service makes for itself."""
    return _DEMAND.search(metric) is not None

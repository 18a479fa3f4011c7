"""What a metric's or a line's own words say about its kind: error, latency, saturation, … Knows no service."""

from __future__ import annotations

from typing import Literal

import re2

Signal = Literal["error", "latency", "availability", "saturation", "efficiency", "traffic", "other"]

_KINDS: tuple[tuple[Signal, str], ...] = (
    ("efficiency", r"hit_?(ratio|rate)|cache_?hits?$|success_?(ratio|rate)|availability$|uptime|result_?count"),
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


_EXPIRED_CERTIFICATE = re2.compile(
    r"(?i)(certificate|x509|\btls\b|\bssl\b).{0,120}(expired|not yet valid|notafter)|expired.{0,40}certificate"
)
_NAME_LOOKUP = re2.compile(
    r"(?i)no such host|enotfound|nxdomain|servfail|getaddrinfo|name resol|resolver|temporary failure in name"
    r"|server misbehaving|lookup \S+.{0,40}(timeout|refused|no such)|upstream.{0,30}nameserver|unknownhost"
)
_DISK_FULL = re2.compile(r"(?i)no space left|disk (is )?full|enospc|read-only file ?system|disk quota exceeded")
_CALL_FAILED = re2.compile(
    r"(?i)upstream|call to|connection refused|unavailable|timed? ?out|bad gateway|50[234]|deadline|unreachable"
    r"|reset by peer|returned"
)
_HOST = re2.compile(r"(?i)\b((?:[a-z0-9-]+\.)+(?:com|net|org|io|cloud|dev|co|eu|de|uk|us|app|ai))\b")
_THROTTLED = re2.compile(r"(?i)throttl|evict|pressure|cfs|starv|noisy|contend|oversubscrib|co-?tenant")
_TROUBLED = re2.compile(r"(?i)degrad|outage|disrupt|incident|impair|partial|major|elevated|investigating|down\b")
_FINE = re2.compile(r"(?i)operating[- ]normally|operational|\bresolved\b|no issues|completed|scheduled")


_DEMAND = re2.compile(r"(?i)request|quer|rps|qps|\bops|_ops|invocation|calls|commands|traffic")


def is_demand(metric: str) -> bool:
    """Whether a traffic metric counts what comes in, rather than work the service makes for itself."""
    return _DEMAND.search(metric) is not None


def says_certificate_expired(text: str) -> bool:
    return _EXPIRED_CERTIFICATE.search(text) is not None


def says_lookup_failed(text: str) -> bool:
    return _NAME_LOOKUP.search(text) is not None


def says_disk_full(text: str) -> bool:
    return _DISK_FULL.search(text) is not None


def says_call_failed(text: str) -> bool:
    return _CALL_FAILED.search(text) is not None


def says_starved(text: str) -> bool:
    return _THROTTLED.search(text) is not None


def says_troubled(text: str) -> bool:
    """Whether a status-feed entry reports trouble rather than normal operation."""
    return _TROUBLED.search(text) is not None and not _FINE.search(text)


def hosts_in(text: str) -> list[str]:
    """Public host names in a text."""
    return list(dict.fromkeys(host.lower() for host in _HOST.findall(text)))

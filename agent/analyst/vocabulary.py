"""What a line's own words say: a certificate that expired, a call that failed, a full disk, … Knows no service."""

from __future__ import annotations

import re2

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

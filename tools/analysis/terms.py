"""Words of code, logs and metric names made comparable, and what kinds of trouble they speak of. Knows no service.

Method: identifiers are split and lightly stemmed; rare words weigh more (inverse document frequency, Spärck Jones
1972). The concepts are the field's own vocabulary: a removed mutex and a "concurrent map write" share no word.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping

import re2

_WORD = re2.compile(r"[A-Z]+[a-z]*|[a-z]+|\d{3}")
_SPLIT = re2.compile(r"([a-z])([A-Z])")
_EMPTY_WORDS = """
    the and for not with from that this was has have are its but into than then them they you all any can cannot could
    when where which while will would been being after before over under off out one two via per use used using new old
    return func def class var let const self none nil null true false type struct string int float bool map err error
    errors errored failed fail failing failure exception context ctx http https request requests response service
    services server client code status value values name names key keys get set put post add run main package import
    public private static void async await else elif case switch break continue range append print fmt std com org net
    github io www
"""
_STOP = frozenset(_EMPTY_WORDS.split())
_ENDINGS = ("ations", "ation", "ings", "ing", "ied", "ies", "ed", "es", "s")

_CONCEPT_WORDS: Mapping[str, str] = {
    "locking": "lock unlock mutex rwmutex synchronized concurrent concurrency race deadlock atomic semaphore goroutine",
    "connection pool": "pool hikari connection conn acquire pending waiting maxconns idle checkout",
    "memory": "memory heap oom rss alloc leak gc evict eviction unbounded retain killed maxsize lru weakref buffer",
    "caching": "cache ttl evict hit miss stampede memcached redis warm expiry lru maxsize",
    "certificate": "certificate cert certs tls x509 ssl handshake notafter ca truststore keystore",
    "name resolution": "dns lookup resolver resolve nxdomain servfail getaddrinfo enotfound nameserver coredns",
    "disk": "disk space volume inode filesystem enospc rotate rotation readonly wal",
    "log volume": "loglevel verbose debug level sample disk space throughput lps verbosity",
    "time limit": "timeout timed deadline exceeded elapsed expire slow latency wait duration p99 p95",
    "retries": "retry retries attempt attempts backoff budget exhausted resend jitter amplification",
    "schema": "table column relation migration mapping field schema alias index undefined unknown",
    "authorisation": "auth token jwt expired leeway skew session unauthorized forbidden signature claims audience",
    "cpu": "cpu throttle throttled throttling cfs cores quota runqueue regex loop",
    "queries": "query select sql scan rows limit order where examined fullscan explain join n1",
    "library versions": "version module runtime registry incompatible abi protobuf vendor dependency pin lockfile",
    "parsing": "parse decode json unmarshal deserialize keyerror typeerror attributeerror nullpointer parser",
    "rate limit": "rate limit quota throttle toomany 429 bucket burst",
    "queueing": "queue lag backlog consumer partition offset depth inflight dead letter",
    "arithmetic": "division zero overflow rounding decimal currency negative nan",
}


def stem(word: str) -> str:
    """A word without its usual endings; short words stay as they are."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)] + ("y" if ending in ("ied", "ies") else "")
    return word.rstrip("e") if len(word) > 4 else word


def stems(text: str) -> frozenset[str]:
    """The stems of a list of words."""
    return frozenset(stem(word) for word in text.split())


CONCEPTS: Mapping[str, frozenset[str]] = {name: stems(words) for name, words in _CONCEPT_WORDS.items()}


def terms(text: str) -> list[str]:
    """The stems of a text in order: camelCase, snake_case and paths are taken apart, empty words are left out."""
    spaced = _SPLIT.sub(r"\1 \2", text)
    words = (word.lower() for word in _WORD.findall(spaced))
    return [stem(word) for word in words if len(word) > 2 and word not in _STOP]


def concepts(words: Iterable[str]) -> dict[str, int]:
    """The concepts that at least one of these stems speaks of, with how many different stems do."""
    present = set(words)
    counts = {name: len(present & kept) for name, kept in CONCEPTS.items()}
    return {name: count for name, count in counts.items() if count}


def rarity(documents: Iterable[Iterable[str]]) -> dict[str, float]:
    """How rare each stem is among the documents, from near 0 (in all of them) to 1 (in one)."""
    seen = [set(document) for document in documents]
    total = len(seen)
    if total < 2:
        return {word: 1.0 for document in seen for word in document}
    counts = Counter(word for document in seen for word in document)
    return {word: math.log((total + 1) / count) / math.log(total + 1) for word, count in counts.items()}

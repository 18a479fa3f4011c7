"""Causes that no commit made: an expired certificate, a provider, name resolution, a full node, a surge of traffic.

Each reader looks for its own signature and answers with a Circumstance, or with nothing. None knows a service by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import re2

from agent.analyst.casefile import Casefile, ChangeRecord, Failure
from agent.analyst.moved import Moved
from agent.analyst.outbreaks import Outbreak, names_in
from agent.analyst.suspects import fault_words
from agent.analyst.triage import Triage
from agent.analyst.vocabulary import (
    hosts_in,
    says_certificate_expired,
    says_disk_full,
    says_lookup_failed,
    says_starved,
    says_troubled,
)
from tools.analysis.metric_words import is_demand
from tools.analysis.terms import terms

_HOST_METRIC = re2.compile(r"(?i)(^|[^a-z])(node|host|machine|vm|instance)([^a-z]|$)")
SURGE = 1.5
NEAR = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Circumstance:
    """One such cause with the observations it rests on; `score` is comparable with a change's."""

    kind: str
    entity: str
    score: float
    statement: str
    remediation: str
    outbreaks: tuple[Outbreak, ...] = ()
    moved: tuple[Moved, ...] = ()
    record: ChangeRecord | None = None
    failures: tuple[Failure, ...] = ()


def circumstances(case: Casefile, found: Triage) -> list[Circumstance]:
    """The likeliest first."""
    if found.onset is None:
        return []
    answers = [reader(case, found) for reader in _READERS]
    return sorted((one for one in answers if one), key=lambda one: -one.score)


def _certificate(case: Casefile, found: Triage) -> Circumstance | None:
    spoken = [one for one in found.outbreaks if says_certificate_expired(one.kind.example)]
    failed = [one for one in found.failures if says_certificate_expired(one.error)]
    if not spoken and not failed:
        return None
    named = Counter(name for one in spoken for name in one.mentions)
    named.update(name for one in failed for name in case.services if name != one.service and names_in(one.error, name))
    speakers = [one.service for one in spoken] + [one.service for one in failed]
    entity = named.most_common(1)[0][0] if named else speakers[0]
    statement = f"The TLS certificate of {entity} has expired; its callers refuse the connection."
    return Circumstance(
        "certificate", entity, 0.95, statement, "rotate-cert", tuple(spoken), failures=tuple(failed[:3])
    )


def _provider(case: Casefile, found: Triage) -> Circumstance | None:
    assert found.onset is not None  # noqa: S101
    words = fault_words(case, found)
    best: tuple[float, ChangeRecord] | None = None
    for change in case.changes:
        if change.kind != "status" or not says_troubled(change.text) or change.at > found.onset + timedelta(minutes=5):
            continue
        agreed = {stem for stem in terms(change.text) if words.get(stem, 0) >= 0.5}
        near = 1.0 if found.onset - change.at <= NEAR else 0.5
        score = near * min(0.9, 0.45 + 0.15 * len(agreed))
        if best is None or score > best[0]:
            best = (score, change)
    if best is None:
        return None
    score, record = best
    entity = record.service or record.title
    statement = f"{entity} itself is in trouble: its status feed says “{record.title}”."
    spoken = tuple(one for one in found.outbreaks if _speaks_of(one, record))
    return Circumstance("provider", entity, score, statement, "failover", spoken, (), record)


def _speaks_of(outbreak: Outbreak, record: ChangeRecord) -> bool:
    return len(set(terms(outbreak.kind.example)) & set(terms(record.text))) >= 2


def _name_resolution(case: Casefile, found: Triage) -> Circumstance | None:
    spoken = [one for one in found.outbreaks if says_lookup_failed(one.kind.example)]
    services = {one.service for one in spoken}
    if len(services) < 2:
        return None
    resolvers = [name for name in services if "dns" in name.lower() or "resolv" in name.lower()]
    entity = resolvers[0] if resolvers else "name resolution"
    others = len(services - set(resolvers))
    statement = f"Name resolution fails for {others} services at once; they look up different hosts."
    score = min(0.95, 0.4 + 0.12 * len(services) + (0.15 if resolvers else 0.0))
    return Circumstance(
        "name resolution", entity, score, statement, "escalate-upstream", tuple(spoken), tuple(found.moved_of(entity))
    )


def _crowded_node(case: Casefile, found: Triage) -> Circumstance | None:
    """A node runs full while something that was not there before uses it, or a container is throttled."""
    nodes = [
        one for one in found.moved if one.kind == "saturation" and _is_host(one) and one.departure.direction == "up"
    ]
    newcomers = [
        one
        for one in found.moved
        if one.kind == "saturation" and one.departure.normal.high <= 0.01 * abs(one.departure.level)
    ]
    newcomers = [one for one in newcomers if not _is_host(one) and _is_usage(one)]
    starved = [one for one in found.moved if says_starved(one.track.name) and not _is_host(one)]
    spoken = [one for one in found.outbreaks if says_starved(one.kind.example)]
    if not nodes or not (newcomers or starved):
        return None
    score = min(0.9, 0.4 + (0.25 if newcomers else 0) + (0.2 if starved else 0) + (0.1 if spoken else 0))
    entity = newcomers[0].service if newcomers else nodes[0].service
    whose = f"since {entity} runs on it" if newcomers else "and its containers are throttled"
    statement = f"{nodes[0].service} is short of {_resource(nodes[0])} {whose}."
    return Circumstance(
        "capacity", entity, score, statement, "reschedule", tuple(spoken), (*nodes, *newcomers, *starved)
    )


def _is_host(one: Moved) -> bool:
    return bool(_HOST_METRIC.search(one.track.name) or _HOST_METRIC.search(one.service))


def _is_usage(one: Moved) -> bool:
    return any(word in one.track.name.lower() for word in ("cpu", "mem", "working_set", "io", "disk"))


def _resource(one: Moved) -> str:
    return next((word for word in ("cpu", "memory", "disk") if word in one.track.name.lower()), "capacity").replace(
        "cpu", "CPU"
    )


def _surge(case: Casefile, found: Triage) -> Circumstance | None:
    """More traffic at the entry, before anything suffers from it; not a callee flooded by its own caller."""
    assert found.onset is not None  # noqa: S101
    called = {callee for callees in case.graph.callees.values() for callee in callees}
    called |= {name for one in found.outbreaks for name in one.mentions}
    up = [
        one for one in found.moved
        if one.kind == "traffic" and one.departure.direction == "up" and one.departure.ratio >= SURGE
        and one.service not in called and one.onset <= found.onset + timedelta(minutes=3)
        and is_demand(one.track.name)
    ]  # fmt: skip
    if not up:
        return None
    first = up[0]
    statement = f"{first.service} receives {first.departure.ratio:.1f} times its normal traffic."
    return Circumstance(
        "traffic", first.service, 0.22 + min(0.2, 0.05 * first.departure.ratio), statement, "scale", (), tuple(up)
    )


def _full_disk(case: Casefile, found: Triage) -> Circumstance | None:
    spoken = [one for one in found.outbreaks if says_disk_full(one.kind.example)]
    if not spoken:
        return None
    entity = spoken[0].service
    disks = tuple(one for one in found.moved if "disk" in one.track.name.lower() or "volume" in one.track.name.lower())
    return Circumstance("capacity", entity, 0.3, f"A volume of {entity} is full.", "scale", tuple(spoken), disks)


def _outside_host(case: Casefile, found: Triage) -> Circumstance | None:
    """Errors name a public host, and nothing of our own explains them."""
    hosts = Counter(
        host for one in found.outbreaks for host in hosts_in(one.kind.example) if not _is_ours(host, case.services)
    )
    if not hosts:
        return None
    host = hosts.most_common(1)[0][0]
    spoken = tuple(one for one in found.outbreaks if host in one.kind.example.lower())
    statement = f"Calls to {host} fail; it lies outside of what the sources show."
    return Circumstance("dependency", host, 0.24, statement, "escalate-upstream", spoken)


def _is_ours(host: str, services: Sequence[str]) -> bool:
    return host.endswith((".local", ".internal", ".svc")) or host.split(".", 1)[0] in services


_READERS: tuple[Callable[[Casefile, Triage], Circumstance | None], ...] = (
    _certificate, _provider, _name_resolution, _crowded_node, _surge, _full_disk, _outside_host,
)  # fmt: skip

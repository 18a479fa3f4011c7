"""What services wrote while they served requests, beside a quiet time: errors, and lines that were always there.

Methods: a failing request is blamed on the deepest service in trouble (Pinpoint, Chen et al. 2002); a missing line is
a broken invariant of an operation (Lou et al. 2010; Yu et al. 2023). Shares of requests, never counts: the mix and the
amount of traffic may differ between the two times.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tools.analysis.surprise import share_surprise

ALWAYS = 0.9  # of the quiet runs of an operation; windows cut some requests in two
FEW_RUNS = 3
ANY_LINE = ""  # stands for a line of any template


class AnyForest(Protocol):
    @property
    def spans(self) -> Sequence[Any]: ...

    def parent(self, span: Any) -> Any | None: ...


@dataclass(frozen=True, slots=True)
class Line:
    """One log line that says which request, and which span of it, it was written in."""

    service: str
    trace_id: str
    span_id: str
    template: str
    is_error: bool
    is_routine: bool  # neither a warning nor an error


@dataclass(frozen=True, slots=True)
class Share:
    """In how many of a service's requests (or an operation's runs) something happened, now and in the quiet time."""

    service: str
    what: str  # the template
    operation: str
    hits: int
    trials: int
    quiet_hits: int
    quiet_trials: int
    surprise: float


Request = tuple[str, str]  # trace id and service


@dataclass(frozen=True, slots=True)
class Written:
    """The lines of one time, told apart by request and by span."""

    errors: Mapping[Request, str]  # the first error template of each request that wrote one
    inside: Mapping[tuple[str, str], frozenset[str]]  # routine templates by trace and span id

    @classmethod
    def of(cls, lines: Iterable[Line]) -> Written:
        errors: dict[Request, str] = {}
        inside: dict[tuple[str, str], set[str]] = defaultdict(set)
        for line in lines:
            if line.is_error:
                errors.setdefault((line.trace_id, line.service), line.template)
            elif line.is_routine and line.span_id:
                inside[line.trace_id, line.span_id].add(line.template)
        return cls(errors, {key: frozenset(found) for key, found in inside.items()})


def error_shares(now: AnyForest, now_lines: Written, quiet: AnyForest, quiet_lines: Written) -> list[Share]:
    """By service: requests with an error line while nothing below it erred."""
    served, usual = _requests(now), _requests(quiet)
    found = _deepest(now, now_lines.errors)
    before = Counter(service for _, service in _deepest(quiet, quiet_lines.errors))
    hits = Counter(service for _, service in found)
    examples = {service: Counter(now_lines.errors[one] for one in found if one[1] == service) for service in hits}
    return [
        Share(
            service, examples[service].most_common(1)[0][0], "", hits[service], served[service], before[service],
            usual[service], share_surprise(hits[service], served[service], before[service], usual[service]),
        )
        for service in sorted(hits) if served[service]
    ]  # fmt: skip


def _requests(forest: AnyForest) -> Counter[str]:
    return Counter(service for _, service in {(span.trace_id, span.service) for span in forest.spans})


def _deepest(forest: AnyForest, troubled: Iterable[Request]) -> set[Request]:
    """Those seen requests whose service was not called on the way to another one in trouble."""
    known = set(troubled) & {(span.trace_id, span.service) for span in forest.spans}
    above: set[Request] = set()
    for span in forest.spans:
        if (span.trace_id, span.service) in known:
            parent = forest.parent(span)
            while parent is not None and (
                parent.service == span.service or (span.trace_id, parent.service) not in above
            ):
                if parent.service != span.service:
                    above.add((span.trace_id, parent.service))
                parent = forest.parent(parent)
    return known - above


def missing_lines(now: AnyForest, now_lines: Written, quiet: AnyForest, quiet_lines: Written) -> list[Share]:
    """By service, the operation whose runs most surprisingly lack a line that it always wrote."""
    usual, runs = _runs(quiet, quiet_lines), _runs(now, now_lines)
    rules = [
        (operation, template, sum(template not in found for _, found in quiet_runs), len(quiet_runs))
        for operation, quiet_runs in usual.items() if len(quiet_runs) >= FEW_RUNS and len(runs[operation]) >= FEW_RUNS
        for template, many in Counter(line for _, found in quiet_runs for line in found).items()
        if many >= ALWAYS * len(quiet_runs)
    ]  # fmt: skip
    lacking = {
        (operation, template): {trace for trace, found in runs[operation] if template not in found}
        for operation, template, _, _ in rules
    }
    troubled = {(trace, operation[0]) for (operation, _), traces in lacking.items() for trace in traces}
    deepest = _deepest(now, troubled | set(now_lines.errors))
    shares: dict[str, list[Share]] = defaultdict(list)
    for operation, template, quiet_hits, quiet_trials in rules:
        service, trials = operation[0], len(runs[operation])
        hits = sum((trace, service) in deepest and template not in found for trace, found in runs[operation])
        surprise = share_surprise(hits, trials, quiet_hits, quiet_trials)
        shares[service].append(Share(service, template, operation[2], hits, trials, quiet_hits, quiet_trials, surprise))
    return [_best(found) for _, found in sorted(shares.items())]


Operation = tuple[str, str, str]  # service, the operation around it in the same service, its own name


def _runs(forest: AnyForest, lines: Written) -> dict[Operation, list[tuple[str, frozenset[str]]]]:
    """Each run of an operation: its trace, and the templates written inside its span."""
    found: dict[Operation, list[tuple[str, frozenset[str]]]] = defaultdict(list)
    for span in forest.spans:
        parent = forest.parent(span)
        around = parent.name if parent is not None and parent.service == span.service else ""
        inside = lines.inside.get((span.trace_id, span.span_id), frozenset())
        inside |= {ANY_LINE} if inside else frozenset()
        found[span.service, around, span.name].append((span.trace_id, inside))
    return found


def _best(shares: list[Share]) -> Share:
    """The most surprising, less what comes from having looked at so many."""
    best = max(shares, key=lambda share: share.surprise)
    surprise = max(0.0, best.surprise - math.log10(len(shares)))
    return Share(
        best.service, best.what, best.operation, best.hits, best.trials, best.quiet_hits, best.quiet_trials, surprise
    )

"""Which change could have produced a fault: it must reach the faulty service, be live in time, and be able to do it.

Method: the order in which responders convict a change (Chen et al. 2019 on incident-to-change correlation): reach ×
time × (what the diff can do × how much its words agree with the fault's). Nothing looks at a change's name or author.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tools.analysis.diffs import Patch, parse
from tools.analysis.effects import Effect, effects
from tools.analysis.inert import why_inert
from tools.analysis.reach import Reached, reach_of
from tools.analysis.terms import concepts, rarity, terms

HALF_TIME_MIN = 30.0  # a change this long before the onset counts half
UNKNOWN_DIFF = 0.2  # what a change can do when its diff is not there to be read
PLAIN_CODE = 0.32  # what code can do whose shape says nothing
CONVICTS = 0.25  # below this a change is only a suspect


@dataclass(frozen=True, slots=True)
class Candidate:
    """A change under suspicion: a commit with the deploy that carried it, a deploy, or a flag."""

    id: str
    kind: str
    service: str
    live_at: datetime | None  # None: never deployed in the time that is known
    title: str
    files: tuple[str, ...] = ()
    diff: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is known of the fault: its words with weights, files named in stack traces, and who suffers since when."""

    words: Mapping[str, float]
    files: frozenset[str]
    services: Mapping[str, float]  # 0 to 1: how much each is at the heart of it
    onsets: Mapping[str, Sequence[datetime]]  # of each service's own departures
    first: datetime  # the earliest sign of the fault
    slack: timedelta  # how far an onset may be off


@dataclass(frozen=True, slots=True)
class Judged:
    candidate: Candidate
    score: float
    reach: float
    timing: float
    relation: float  # 0 to 1: how much the change speaks of what went wrong
    effect: Effect | None
    shared: tuple[str, ...] = ()  # the words both sides use, rarest first
    cleared: str = ""  # why it cannot be the cause, in words
    all_effects: tuple[Effect, ...] = field(default=())

    @property
    def has_no_diff(self) -> bool:
        return not self.candidate.diff

    @property
    def convicts(self) -> bool:
        return not self.cleared and self.score >= CONVICTS


def judge(candidates: Sequence[Candidate], fault: Fault, known: Sequence[str]) -> list[Judged]:
    """Every candidate with its score, highest first."""
    patches = {one.id: parse(one.diff) for one in candidates}
    names = {stem for service in known for stem in terms(service)}
    spoken = {one.id: _words_of(one, patches[one.id], names) for one in candidates}
    rare = rarity([set(words) for words in spoken.values()])
    rare_concepts = rarity([set(concepts(words)) for words in spoken.values()])
    judged = [
        _judge(
            one,
            patches[one.id],
            spoken[one.id],
            fault,
            reach_of(one.service, one.files, fault.services, known),
            rare,
            rare_concepts,
        )
        for one in candidates
    ]
    return sorted(judged, key=lambda one: (-one.score, one.candidate.id))


def _judge(
    candidate: Candidate, patch: Patch, words: Mapping[str, float], fault: Fault, reached: Reached,
    rare: Mapping[str, float], rare_concepts: Mapping[str, float],
) -> Judged:  # fmt: skip
    relation, shared = _relation(candidate, words, fault, rare, rare_concepts)
    found = effects(patch)
    effect = max(found, key=lambda one: one.weight * (1 + _about(one, fault)), default=None)
    power = _power(candidate, patch, effect)
    timing = _timing(candidate, fault, reached)
    cleared = _why_cleared(candidate, patch, fault, reached)
    score = 0.0 if cleared else reached.weight * timing * power * (0.35 + 0.65 * relation)
    return Judged(candidate, score, reached.weight, timing, relation, effect, shared, cleared, tuple(found))


def _words_of(candidate: Candidate, patch: Patch, names: set[str]) -> dict[str, float]:
    """What changed counts whole, what stands around it and what the change says of itself counts less."""
    weighted: dict[str, float] = {}
    comments = (*patch.removed_comments, *patch.added_comments)
    for lines, weight in ((patch.context, 0.25), (candidate.files, 0.35), ((candidate.title,), 0.35), (comments, 0.5)):
        _take(weighted, lines, weight)
    unchanged = set(terms(" ".join(patch.removed))) & set(terms(" ".join(patch.added)))
    _take(weighted, patch.removed, 1.0)
    _take(weighted, patch.added, 1.0)
    for word in unchanged:
        weighted[word] = min(weighted[word], 0.6)
    for effect in effects(patch):
        weighted |= dict.fromkeys(effect.about, 1.0)
    return {word: weight for word, weight in weighted.items() if word not in names}


def _take(weighted: dict[str, float], lines: Sequence[str], weight: float) -> None:
    for line in lines:
        for word in terms(line):
            weighted[word] = max(weighted.get(word, 0.0), weight)


def _relation(
    candidate: Candidate,
    words: Mapping[str, float],
    fault: Fault,
    rare: Mapping[str, float],
    rare_concepts: Mapping[str, float],
) -> tuple[float, tuple[str, ...]]:
    both = {word: weight * fault.words[word] * rare[word] for word, weight in words.items() if word in fault.words}
    spoken, heard = concepts(words), concepts(fault.words)
    agreed = sum(rare_concepts[name] * min(spoken[name], heard[name], 2) / 2 for name in spoken if name in heard)
    named = {path.rsplit("/", 1)[-1] for path in candidate.files} & fault.files
    evidence = 0.9 * sum(both.values()) + 0.5 * agreed + (2.0 if named else 0.0)
    shared = tuple(sorted((word for word in both if both[word] > 0.15), key=lambda word: -both[word]))
    return 1 - math.exp(-evidence), shared


def _about(effect: Effect, fault: Fault) -> float:
    return max((fault.words.get(word, 0.0) for word in effect.about), default=0.0)


def _power(candidate: Candidate, patch: Patch, effect: Effect | None) -> float:
    if effect is not None:
        return effect.weight
    if candidate.kind == "flag":
        return 0.4
    return UNKNOWN_DIFF if patch.is_empty else PLAIN_CODE


def _timing(candidate: Candidate, fault: Fault, reached: Reached) -> float:
    """Near 1 right before a departure of a service it reaches; halved every HALF_TIME_MIN."""
    if candidate.live_at is None:
        return 0.0
    after = [
        at
        for service in reached.services
        for at in fault.onsets.get(service, ())
        if at + fault.slack >= candidate.live_at
    ]
    lag = min(((at - candidate.live_at).total_seconds() / 60 for at in [*after, fault.first]), default=0.0, key=abs)
    return float(0.5 ** (max(lag, 0.0) / HALF_TIME_MIN))


def _why_cleared(candidate: Candidate, patch: Patch, fault: Fault, reached: Reached) -> str:
    inert = why_inert(candidate.files, patch)
    if candidate.live_at is None:
        return "no deploy carried it before the onset"
    own = [at for service in reached.services for at in fault.onsets.get(service, ())]
    if candidate.live_at > min([fault.first, *own]) + fault.slack:
        return f"it went live at {candidate.live_at:%H:%M}, after the first sign at {min([fault.first, *own]):%H:%M}"
    if inert:
        return inert
    return "" if reached.weight > 0 else reached.why_not

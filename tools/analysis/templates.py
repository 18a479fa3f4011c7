"""Groups log messages into templates and joins templates that differ in a few words. Judges no message.

Method: Drain (He et al. 2017) without its tree: messages are masked first, so few distinct keys remain; keys of one
length whose tokens mostly agree become one template with <*> where they differ.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tools.sources.logs.masking import template_of

SIMILAR = 0.6  # share of tokens that must agree; Drain's published settings lie between 0.4 and 0.7
WILDCARD = "<*>"
MAX_TOKENS = 80


@dataclass(frozen=True, slots=True)
class Template:
    text: str
    count: int
    members: tuple[str, ...]  # the masked keys it was joined from


def mine(messages: Iterable[str]) -> list[Template]:
    """Templates of these messages, most frequent first."""
    counts: dict[str, int] = defaultdict(int)
    for message in messages:
        counts[template_of(message)] += 1
    return join(counts)


def join(counts: Mapping[str, int]) -> list[Template]:
    """Joins masked keys with their counts; the most frequent key leads each group."""
    groups: dict[tuple[int, str], list[_Group]] = defaultdict(list)
    for key in sorted(counts, key=lambda key: (-counts[key], key)):
        tokens = key.split()[:MAX_TOKENS]
        bucket = groups[len(tokens), _anchor(tokens)]
        best = max(bucket, key=lambda group: group.likeness(tokens), default=None)
        if best is not None and best.likeness(tokens) >= SIMILAR:
            best.add(key, tokens, counts[key])
        else:
            bucket.append(_Group(tokens, [key], counts[key]))
    found = [group.template() for bucket in groups.values() for group in bucket]
    return sorted(found, key=lambda template: (-template.count, template.text))


def _anchor(tokens: list[str]) -> str:
    """The first word that is not masked: lines of one statement start alike."""
    return next((token for token in tokens if "<" not in token), "")


@dataclass(slots=True)
class _Group:
    tokens: list[str]
    keys: list[str]
    count: int

    def likeness(self, tokens: list[str]) -> float:
        same = sum(mine == other for mine, other in zip(self.tokens, tokens, strict=True))
        return same / max(len(tokens), 1)

    def add(self, key: str, tokens: list[str], count: int) -> None:
        pairs = zip(self.tokens, tokens, strict=True)
        self.tokens = [mine if mine == other else WILDCARD for mine, other in pairs]
        self.keys.append(key)
        self.count += count

    def template(self) -> Template:
        return Template(" ".join(self.tokens), self.count, tuple(self.keys))

"""Signs of trouble from several channels, put together: the most surprising sign of a service speaks for it.

No vote and no sum: each kind of fault shows in one channel, and the others would only water it down. Channels compare
because each is calibrated on its own quiet time before it comes here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

EXPLAINS = 0.5  # of a caller's surprise
CONVINCING = 2.0  # as far out as this in one of 100 quiet times


@dataclass(frozen=True, slots=True)
class Sign:
    """What one channel says of one service. `now` and `usual` are in `unit`; `surprise` as in surprise.py."""

    service: str
    channel: str
    surprise: float
    words: str
    now: float
    usual: float
    unit: str = ""
    is_symptom: bool = False  # errs or is slow: what a caller does as well when its callee is at fault


@dataclass(frozen=True, slots=True)
class Suspect:
    """A service with its signs, the most surprising first."""

    service: str
    signs: tuple[Sign, ...]

    @property
    def surprise(self) -> float:
        return self.signs[0].surprise

    @property
    def is_convincing(self) -> bool:
        return self.surprise >= CONVINCING


def rank(signs: Iterable[Sign], below: Callable[[str], frozenset[str]] = lambda service: frozenset()) -> list[Suspect]:
    """The most suspicious service first. Of equal first signs the second ones decide, and so on.

    Of a channel that speaks of a service more than once, the most surprising sign is kept.
    """
    by_service: dict[str, dict[str, Sign]] = defaultdict(dict)
    for sign in sorted(signs, key=lambda sign: (-sign.surprise, sign.channel)):
        if sign.surprise > 0:
            by_service[sign.service].setdefault(sign.channel, sign)
    found = [Suspect(service, tuple(own.values())) for service, own in by_service.items()]
    found.sort(key=lambda one: ([-sign.surprise for sign in one.signs], one.service))
    return _callers_after(found, below)


def _callers_after(found: list[Suspect], below: Callable[[str], frozenset[str]]) -> list[Suspect]:
    """A caller that errs or is slow comes after what it depends on, where that strays convincingly and half as far."""
    ordered: dict[str, Suspect] = {}

    def place(one: Suspect) -> None:
        for other in found:
            if other.service not in ordered and _is_explained(one, other, below):
                place(other)
        ordered.setdefault(one.service, one)

    for one in found:
        place(one)
    return list(ordered.values())


def _is_explained(one: Suspect, other: Suspect, below: Callable[[str], frozenset[str]]) -> bool:
    """Whether `other` lies below and strays enough to explain it; in a ring of calls neither explains the other."""
    is_below = other.service in below(one.service) and one.service not in below(other.service)
    strays = other.is_convincing and other.surprise >= EXPLAINS * one.surprise
    return one.signs[0].is_symptom and is_below and strays

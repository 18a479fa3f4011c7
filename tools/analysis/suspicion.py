"""Signs of trouble from several channels, put together: the most surprising sign of a service speaks for it.

No vote and no sum: each kind of fault shows in one channel, and the others would only water it down. Channels compare
because each is calibrated on its own quiet time before it comes here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

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


def rank(signs: Iterable[Sign]) -> list[Suspect]:
    """The most suspicious service first. Of equal first signs the second ones decide, and so on."""
    by_service: dict[str, list[Sign]] = defaultdict(list)
    for sign in signs:
        if sign.surprise > 0:
            by_service[sign.service].append(sign)
    found = [
        Suspect(service, tuple(sorted(own, key=lambda sign: (-sign.surprise, sign.channel))))
        for service, own in by_service.items()
    ]
    return sorted(found, key=lambda one: ([-sign.surprise for sign in one.signs], one.service))

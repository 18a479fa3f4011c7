"""Which services a change can touch: its own, those its paths name, or all that share the code. Judges no diff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import re2

SHARED = frozenset("pkg lib libs common shared internal core vendor platform packages modules".split())  # noqa: SIM905
SHARED_WEIGHT = 0.85  # against a change in the service's own code
ROOT_FILES = re2.compile(r"^[^/]+$")
_SUFFIX = re2.compile(r"(service|svc|server|api|app|worker)s?$")
_NOT_ALNUM = re2.compile(r"[^a-z0-9]+")
PREFIX = 5  # letters a path part and a service must share


@dataclass(frozen=True, slots=True)
class Reached:
    """The faulty services a change can touch, and the largest weight among them."""

    weight: float
    services: tuple[str, ...]
    is_shared: bool = False
    why_not: str = ""


def reach_of(service: str, files: Sequence[str], faulty: Mapping[str, float], known: Sequence[str]) -> Reached:
    """`service`: where it was deployed, if that is known. `faulty`: weights of the services in trouble."""
    named = {name for name in known if any(is_named_by(name, path) for path in files)}
    own = {name for name in (service, *named) if name}
    hit = tuple(sorted((name for name in own if faulty.get(name, 0) > 0), key=lambda name: -faulty[name]))
    if hit:
        return Reached(faulty[hit[0]], hit)
    shared = any(SHARED & set(path.lower().split("/")) or ROOT_FILES.match(path) for path in files)
    if shared and not named:
        everyone = (service,) if service else tuple(faulty)
        weight = max((faulty.get(name, 0.0) for name in everyone), default=0.0)
        return Reached(SHARED_WEIGHT * weight, everyone, True, f"{service or 'what uses it'} shows no departure")
    if own:
        return Reached(0.0, (), False, f"{_one(own)} shows no departure from its normal range")
    return Reached(0.3 * max(faulty.values(), default=0.0), tuple(faulty), False, "")


def _one(names: set[str]) -> str:
    return sorted(names)[0]


def is_named_by(service: str, path: str) -> bool:
    """Whether a part of the path names the service, its usual endings apart."""
    full = plain(service)
    bare = _SUFFIX.sub("", full) or full
    for part in path.lower().split("/")[:-1] or [path.lower()]:
        name = plain(part)
        if name and (
            name in (full, bare)
            or (len(name) >= PREFIX and (bare.startswith(name) or (name.startswith(bare) and len(bare) >= PREFIX)))
        ):
            return True
    return False


def plain(name: str) -> str:
    return str(_NOT_ALNUM.sub("", name.lower()))

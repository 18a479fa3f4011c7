"""Crash points: places where a test makes the process die, fail or wait. Inert unless OPSPILOT_FAULT is set.

`OPSPILOT_FAULT=append.commit#3:K` strikes at the third pass of that point. Modes: K kills the process there, E raises
before the work, A does the work and then raises (as a lost answer would look), D stops it there (SIGSTOP) until
somebody continues it. Settings refuse the variable outside of tests, so in production a point costs one comparison.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import wraps
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import OperationalError

POINTS = (
    "run.create",
    "queue.enqueue",
    "lease.claim",
    "lease.release",
    "append.write",
    "run.begin",
    "money.reserve",
    "model.call",
    "move.keep",
    "model.record",
    "plan.accept",
    "plan.conclude",
    "tool.intent",
    "tool.call",
    "tool.result",
    "tool.end",
    "tools.returned",
    "subruns.begin",
    "subruns.take",
    "approval.ask",
    "approval.decide",
    "approval.edit",
    "approval.expire",
    "approval.withdraw",
    "run.replan",
    "run.hold",
    "run.cancel",
    "run.fail",
    "run.finish",
    "notify.send",
    "notify.mark",
)
P = ParamSpec("P")
T = TypeVar("T")
_INERT = nullcontext()


class InjectedFault(OperationalError):
    """Looks like a database that went away: the run stays where it was last committed."""


@dataclass(slots=True)
class Fault:
    """Where and how to strike, or nowhere; `passed` counts the passes of every point, for the sweep's record run."""

    point: str = ""
    occurrence: int = 0
    mode: str = ""
    is_recording: bool = False
    passed: Counter[str] = field(default_factory=Counter)

    @classmethod
    def parse(cls, text: str) -> Fault | None:
        """`point#occurrence:mode`, `record`, or nothing. Raises ValueError for anything else."""
        if not text:
            return None
        if text == "record":
            return cls(is_recording=True)
        place, _, mode = text.partition(":")
        point, _, occurrence = place.partition("#")
        if point not in POINTS or mode not in tuple("KEAD") or not occurrence.isdecimal():
            raise ValueError(f"OPSPILOT_FAULT={text!r}: write point#occurrence:mode with a mode of K, E, A, D.")
        return cls(point, int(occurrence), mode)

    def strike(self) -> None:
        """What happens before the work."""
        match self.mode:
            case "K":
                os.kill(os.getpid(), signal.SIGKILL)
            case "D":
                os.kill(os.getpid(), signal.SIGSTOP)
            case "E":
                raise InjectedFault(f"injected before {self.point}")


armed: Fault | None = Fault.parse(settings.FAULT)


def at(point: str) -> AbstractContextManager[None]:
    """Work that can be struck: `with faults.at("append.write"): …`."""
    return _INERT if armed is None else _struck(armed, point)


def point(name: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """The same around a whole function: `@faults.point("tool.intent")`, outside of its transaction."""

    def around(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def struck(*args: P.args, **kwargs: P.kwargs) -> T:
            with at(name):
                return function(*args, **kwargs)

        return struck

    return around


@contextmanager
def _struck(fault: Fault, point: str) -> Iterator[None]:
    fault.passed[point] += 1
    strikes = fault.point == point and fault.occurrence == fault.passed[point]
    if strikes:
        fault.strike()
    yield
    if strikes and fault.mode == "A":
        raise InjectedFault(f"injected after {point}")

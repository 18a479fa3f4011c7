"""What every verb of a driver is made of: a transition under its lease, and another try after somebody came between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.db import transaction

from runs.models import Run, Step
from runs.redaction import redact_json
from runs.services.append import Overtaken, advance
from runs.services.leases import Lease

P = ParamSpec("P")
T = TypeVar("T")
TRIES = 20  # notes and votes that may slip in between before something is wrong
Verb = Callable[Concatenate[Run, Lease, P], T]


def insisting(verb: Verb[P, T]) -> Verb[P, T]:
    """For what has already happened: if somebody else took the next seq, re-read and write it after theirs."""

    @wraps(verb)
    def insist(run: Run, lease: Lease, /, *args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(TRIES):
            try:
                with transaction.atomic():
                    return verb(run, lease, *args, **kwargs)
            except Overtaken:
                run.refresh_from_db()
                if run.lease_epoch != lease.epoch:
                    raise
        raise Overtaken(f"run {run.pk} is written to faster than its driver can follow")

    return insist


def advance_driven(
    run: Run, lease: Lease, event: str, payload: Mapping[str, Any] | None = None, **changes: Any
) -> Step:
    return advance(
        run, event, actor="driver", payload=redact_json(dict(payload or {})), epoch=lease.epoch,
        driven_ms=run.driven_ms + lease.lap_ms(), **changes,
    )  # fmt: skip

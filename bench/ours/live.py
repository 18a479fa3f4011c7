"""Our side of `live`: a run that is looked at, and Steps that come to it by the service that people's notes take."""

from __future__ import annotations

import time
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.db import transaction

from bench.answering import serve
from bench.peers.marks import marked
from runs import live
from runs.models import Run
from runs.services.actors import Actor
from runs.services.runs import add_note, create_run
from runs.services.teams import default_team
from runs.sources import Source

_runs: list[Run] = []


def prepare() -> dict[str, Any]:
    """A run that nobody drives, and a person who may see it."""
    created = create_run(
        goal="Investigate database timeouts", team=default_team(), actor=Actor.system(), origin="cli", start=False,
        sources=[Source(name="logs", url="file:///bench", env="")],
    )  # fmt: skip
    _runs.append(created.run)
    return {"path": f"/ws/runs/{created.run.pk}", "cookie": f"{settings.SESSION_COOKIE_NAME}={_session()}"}


def publish(first: int, count: int, every_s: float) -> dict[str, Any]:
    """One Step a commit; when each was committed."""
    sent: list[tuple[int, float]] = []
    for number in range(first, first + count):
        _write([number], sent)
        time.sleep(every_s)
    return {"sent": sent, "seq": _seq()}


def burst(first: int, count: int) -> dict[str, Any]:
    """All Steps in one commit, their notices at once."""
    sent: list[tuple[int, float]] = []
    _write(list(range(first, first + count)), sent)
    return {"sent": sent, "seq": _seq()}


def cost(count: int) -> dict[str, Any]:
    """Milliseconds that one notice takes from whoever commits."""
    started = time.perf_counter()
    for _ in range(count):
        live.publish(_runs[-1].pk, 1)
    return {"ms": (time.perf_counter() - started) * 1_000 / count}


def _write(numbers: list[int], sent: list[tuple[int, float]]) -> None:
    with transaction.atomic():
        # The first hook runs right after the commit, before the notices go out.
        transaction.on_commit(lambda: sent.extend((number, time.monotonic()) for number in numbers))
        for number in numbers:
            add_note(_runs[-1].pk, Actor.system(), marked(number))


def _seq() -> int:
    return int(Run.objects.values_list("n_steps", flat=True).get(pk=_runs[-1].pk))


def _session() -> str:
    user, _ = User.objects.get_or_create(username="bench", defaults={"is_superuser": True})
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session.create()
    return str(session.session_key)


if __name__ == "__main__":
    serve(prepare=prepare, publish=publish, burst=burst, cost=cost)

"""Starts runs on a running stack, waits until all have ended, and says how long it took and what the workers weigh."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import psutil
from django.conf import settings

from bench.answering import serve
from runs.models import Run
from runs.services.actors import Actor
from runs.services.runs import create_run
from runs.services.teams import default_team
from runs.sources import configured_sources
from runs.states import TERMINAL

PATIENCE_S, LOOK_S = 600.0, 0.5
DATA_DIR = str(settings.DATA_DIR)


def main() -> None:
    serve(runs=runs)


def runs(count: int) -> dict[str, Any]:
    """`s` from the first creation to the last end; megabytes of workers and of the whole stack at their heaviest."""
    began = time.perf_counter()
    ids = [_start() for _ in range(count)]
    heaviest: dict[str, float] = {"worker_mb": 0.0, "stack_mb": 0.0}
    while (ended := Run.objects.filter(pk__in=ids, state__in=TERMINAL).count()) < count:
        if time.perf_counter() - began > PATIENCE_S:
            raise RuntimeError(f"{count - ended} of {count} runs do not end")
        heaviest = {name: max(value, heaviest[name]) for name, value in _weights().items()}
        time.sleep(LOOK_S)
    done = Run.objects.filter(pk__in=ids, state="DONE").count()
    return {"s": time.perf_counter() - began, "done": done, **heaviest}


def _start() -> int:
    goal, team = "Why does checkout fail?", default_team()
    return create_run(
        goal=goal, team=team, actor=Actor.system(), origin="api", sources=configured_sources()
    ).run.pk  # fmt: skip


def _weights() -> dict[str, float]:
    """Resident megabytes of our own `up` and all below it; pages that processes share are counted in each."""
    weights = {"worker_mb": 0.0, "stack_mb": 0.0}
    for process in _stack():
        with suppress(psutil.NoSuchProcess):
            megabytes = process.memory_info().rss / 1e6
            weights["stack_mb"] += megabytes
            weights["worker_mb"] += megabytes if "worker" in process.cmdline() else 0.0
    return weights


def _stack() -> list[psutil.Process]:
    for process in psutil.process_iter(["cmdline"]):
        with suppress(psutil.Error):
            if "up" in (process.info["cmdline"] or ()) and process.environ().get("OPSPILOT_DATA_DIR") == DATA_DIR:
                return [process, *process.children(recursive=True)]
    return []


if __name__ == "__main__":
    main()

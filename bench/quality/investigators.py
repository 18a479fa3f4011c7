"""Processes that investigate cases side by side, each with a database of its own. Knows no suite."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from bench.contest import Contender, contender
from bench.databases import SQLITE, database, scratch
from bench.quality.case import Answer, Incident, Result
from bench.stack import OUR_PYTHON, environment

Answered = TypeVar("Answered")


class Investigators:
    """`ask` may be called from as many threads as there are processes."""

    def __init__(self, free: SimpleQueue[Contender], cases: Path, planner: str):
        self._free, self._cases, self._planner = free, cases, planner
        self._numbers = iter(range(1, 1_000_000))

    def ask(self, case: Incident) -> Result:
        """One case as a run. Its telemetry lies in a folder whose name says nothing, and goes away."""
        process, folder = self._free.get(), self._cases / f"{next(self._numbers)}" / "telemetry"
        try:
            case.write(folder)
            told = process.ask("investigate", folder=str(folder), goal=case.goal, planner=self._planner)
        finally:
            shutil.rmtree(folder.parent, ignore_errors=True)
            self._free.put(process)
        answer = Answer(told["report"], tuple(told["tools"]))
        return Result(
            case.id, case.judge(answer), case.truth, told["seconds"], len(answer.tools), told.get("evidence_bytes", 0),
            told["problem"], told.get("model", {}),
        )  # fmt: skip


@contextmanager
def investigators(jobs: int, planner: str, env: Mapping[str, str]) -> Iterator[Investigators]:
    free: SimpleQueue[Contender] = SimpleQueue()
    with ExitStack() as stack:
        for _ in range(jobs):
            folder = stack.enter_context(scratch())
            url = stack.enter_context(database(SQLITE, folder))
            words = {**environment(folder, url), **env}
            process = stack.enter_context(contender(OUR_PYTHON, "bench.ours.investigation", **words))
            process.ask("prepare")
            free.put(process)
        yield Investigators(free, stack.enter_context(scratch()), planner)


def side_by_side(jobs: int, cases: Sequence[Incident], ask: Callable[[Incident], Answered]) -> Iterator[Answered]:
    """The results in the order of the cases."""
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(ask, cases)

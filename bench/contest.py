"""Contenders as processes of their own, and rounds that take turns between them (A B A B). Knows no bench."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from django.conf import settings

PATIENCE_S = 10
Turn = Callable[[], float]


class ContenderFailed(Exception):
    """A contender died or could not start; the text has its last words."""


class Contender:
    """A process that answers questions (bench/answering.py). Ends with us: its stdin closes."""

    def __init__(self, python: str | Path, module: str, words: Sequence[str], env: Mapping[str, str]):
        self.name = module
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  closed in stop()
        self._process = subprocess.Popen(
            ["env", *(f"{name}={value}" for name, value in env.items()), str(python), "-m", module, *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, cwd=settings.BASE_DIR, text=True,
        )  # fmt: skip

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """One question and its answer. Raises ContenderFailed."""
        self.tell(do, **arguments)
        return self.hear()

    def tell(self, do: str, **arguments: Any) -> None:
        """A question whose answer is heard later, so that two contenders can work at the same time."""
        assert self._process.stdin  # noqa: S101  opened as a pipe
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise ContenderFailed(self._last_words()) from None

    def hear(self) -> dict[str, Any]:
        assert self._process.stdout  # noqa: S101
        line = self._process.stdout.readline()
        if not line:
            raise ContenderFailed(self._last_words())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def stop(self) -> None:
        if self._process.stdin:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _last_words(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE_S)
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return f"{self.name}: {lines[-1][:300] if lines else f'ended with {self._process.returncode}'}"


@contextmanager
def contender(python: str | Path, module: str, *words: str, **env: str) -> Iterator[Contender]:
    started = Contender(python, module, words, env)
    try:
        yield started
    finally:
        started.stop()


def alternate(turns: Mapping[str, Turn], rounds: int, after_round: Callable[[], None]) -> dict[str, list[float]]:
    """Every contender once a round, in turn; all values of each. The first round warms up and does not count."""
    values: dict[str, list[float]] = {name: [] for name in turns}
    for number in range(rounds + 1):
        for name, turn in turns.items():
            value = turn()
            if number:
                values[name].append(value)
        after_round()
    return values

"""What every speed bench is given: how large to measure, the peers' interpreter, and where to tell of progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.progress import Progress

Scale = Literal["smallest", "usual", "full"]


@dataclass(frozen=True, slots=True)
class Session:
    """One call of `bench speed`. `peers` is None where their packages could not be installed; `no_peers` says why."""

    progress: Progress
    kinds: tuple[str, ...]
    scale: Scale
    rows: int
    peers: Path | None
    no_peers: str = ""

    def pick(self, *, smallest: int, usual: int, full: int | None = None) -> int:
        """A size by the scale that was asked for."""
        if self.scale == "smallest":
            return smallest
        return full if self.scale == "full" and full is not None else usual

    @contextmanager
    def stage(self, words: str, steps: int) -> Iterator[Callable[[], None]]:
        """A bar of the progress display while the block lasts; yields what moves it on by one."""
        task = self.progress.add_task(words, total=steps)
        try:
            yield lambda: self.progress.advance(task)
        finally:
            self.progress.remove_task(task)

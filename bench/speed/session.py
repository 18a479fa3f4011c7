"""What every speed bench is given: how large to measure, the peers' interpreter, and where to tell of progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from rich.progress import Progress

from bench import environment

Scale = Literal["smallest", "usual", "full"]


@dataclass(frozen=True)
class Session:
    """One call of `bench speed`. `peers` is None where their packages could not be installed; `no_peers` says why.

    They are installed when a bench first asks: one that has a peer of its own, or none, does not wait for them.
    """

    progress: Progress
    kinds: tuple[str, ...]
    scale: Scale
    rows: int
    with_peers: bool = True

    @property
    def peers(self) -> Path | None:
        """The interpreter that has them."""
        return self._peers[0]

    @property
    def no_peers(self) -> str:
        return self._peers[1]

    @cached_property
    def _peers(self) -> tuple[Path | None, str]:
        if not self.with_peers:
            return None, "left out by --no-peers"
        with self.stage("peers' packages (the first time a minute)", None):
            try:
                return environment.make_ready(), ""
            except environment.NoPeers as missing:
                return None, str(missing)

    def pick(self, *, smallest: int, usual: int, full: int | None = None) -> int:
        """A size by the scale that was asked for."""
        if self.scale == "smallest":
            return smallest
        return full if self.scale == "full" and full is not None else usual

    @contextmanager
    def stage(self, words: str, steps: int | None) -> Iterator[Callable[[], None]]:
        """A bar of the progress display while the block lasts; yields what moves it on by one."""
        task = self.progress.add_task(words, total=steps)
        try:
            yield lambda: self.progress.advance(task)
        finally:
            self.progress.remove_task(task)

"""The viewers of `live`: any number of web sockets in one process, and when each text came to each of them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from bench.answering import serve
from bench.peers.marks import mark_in

AT_ONCE = 50  # connections being opened at the same time
OPEN_S = 60


@dataclass
class Viewer:
    socket: ClientConnection
    came: list[tuple[float, str]] = field(default_factory=list)

    async def look(self) -> None:
        async for text in self.socket:
            self.came.append((time.monotonic(), str(text)))


class Viewers:
    """Runs the event loop in a thread of its own; the questions come from outside."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._viewers: list[Viewer] = []
        self._tasks: list[asyncio.Task[None]] = []

    def open(self, count: int, url: str, headers: dict[str, str]) -> dict[str, Any]:
        return self._do(self._open(count, url, headers))

    def close(self) -> dict[str, Any]:
        return self._do(self._close())

    def collect(self, marks: list[int], patience_s: float) -> dict[str, Any]:
        """Wait until every viewer has every mark. Arrivals by mark; `missing`, `doubled` and `disordered` texts."""
        deadline, wanted = time.monotonic() + patience_s, len(marks) * len(self._viewers)
        while sum(len(viewer.came) for viewer in self._viewers) < wanted and time.monotonic() < deadline:
            time.sleep(0.05)
        return _arrivals(self._viewers, marks, deadline)

    def _do(self, work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(OPEN_S)

    async def _open(self, count: int, url: str, headers: dict[str, str]) -> dict[str, Any]:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one() -> Viewer:
            async with gate:
                origin = headers.get("Origin")
                rest = {name: value for name, value in headers.items() if name != "Origin"}
                return Viewer(
                    await connect(
                        url, origin=origin, additional_headers=rest, compression=None, open_timeout=OPEN_S,
                        ping_interval=None, max_queue=None, proxy=None,
                    )
                )  # fmt: skip

        self._viewers = await asyncio.gather(*(one() for _ in range(count)))
        self._tasks = [asyncio.create_task(viewer.look()) for viewer in self._viewers]
        return {}

    async def _close(self) -> dict[str, Any]:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(viewer.socket.close() for viewer in self._viewers), return_exceptions=True)
        self._viewers, self._tasks = [], []
        return {}


def _arrivals(viewers: list[Viewer], marks: list[int], deadline: float) -> dict[str, Any]:
    """Takes the marked texts out of the viewers' lists; waits for stragglers until the deadline."""
    wanted, arrivals = set(marks), {mark: [] for mark in marks}
    missing = doubled = disordered = 0
    sample = ""
    for viewer in viewers:
        while True:
            found = [(at, mark, text) for at, text in viewer.came if (mark := mark_in(text)) in wanted]
            if len({mark for _, mark, _ in found}) >= len(wanted) or time.monotonic() > deadline:
                break
            time.sleep(0.02)
        viewer.came.clear()
        order = [mark for _, mark, _ in found]
        missing += len(wanted - set(order))
        doubled += len(order) - len(set(order))
        disordered += order != sorted(order)
        sample = found[-1][2] if found else sample
        for at, mark, _ in found:
            arrivals[mark].append(at)
    return {
        "arrivals": list(arrivals.items()), "missing": missing, "doubled": doubled, "disordered": disordered,
        "sample": sample,
    }  # fmt: skip


if __name__ == "__main__":
    viewers = Viewers()
    serve(open=viewers.open, close=viewers.close, collect=viewers.collect)

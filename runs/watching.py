"""From a notice to the open pages: Steps are read once, rendered once, and put into the queue of each watching socket.

Lost, doubled and reordered notices are harmless: each queue's owner compares seq and reads what it misses itself.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import monotonic
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from django.db import DatabaseError, connections
from django.template.loader import render_to_string

from runs.live import Delta, Notice, Subscriber
from runs.models import Run, Step, ToolCall
from runs.presentation.timeline import NEW_CYCLE, line_of, numbered
from runs.states import StepKind

INBOX_SIZE = 100  # texts a slow socket may lag behind before it is told to read anew
BATCH = INBOX_SIZE  # steps read at once; more would make every inbox overflow
LOOK_S = 15.0  # a look at the database for notices that were lost
LOOK_ALONE_S = 3.0  # the same while Redis does not answer
log = logging.getLogger(__name__)
# A thread with a connection of its own, so that a page being rendered does not hold the live path up.
_reader = ThreadPoolExecutor(1, thread_name_prefix="watching")


@dataclass(frozen=True, slots=True)
class Ready:
    """One Step as the text that goes down the socket."""

    seq: int
    text: str
    state: str


class Inbox:
    """The bounded queue of one socket. When it overflows it is emptied and its owner is told to read anew."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Ready | Delta | None] = asyncio.Queue(INBOX_SIZE)

    def put(self, ready: Ready) -> None:
        try:
            self._queue.put_nowait(ready)
        except asyncio.QueueFull:
            self.ask_to_resync()

    def put_if_idle(self, delta: Delta) -> None:
        """Speech is for a socket that keeps up; it is dropped for one that does not."""
        if self._queue.empty():
            self._queue.put_nowait(delta)

    def ask_to_resync(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    async def get(self) -> Ready | Delta | None:
        """The next Step, or speech towards it; None means: something was dropped, read from the database."""
        return await self._queue.get()


@dataclass
class _Watched:
    """One run that somebody looks at."""

    inboxes: set[Inbox] = field(default_factory=set)
    delivered: int = 0  # the last seq that was put into the inboxes
    wanted: int = 0  # the highest seq that a notice or a look has told of
    task: asyncio.Task[None] | None = None


class Hub:
    """All watched runs of one process. Works while somebody watches, sleeps otherwise."""

    def __init__(self) -> None:
        self._watched: dict[int, _Watched] = {}
        self._subscriber = Subscriber()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def is_live(self) -> bool:
        """False while Redis does not answer: pages are then fed by looks at the database."""
        return self._subscriber.is_connected

    def join(self, run_id: int, seq: int) -> Inbox:
        """An inbox that gets every Step of the run after `seq`, or word that it has to read anew."""
        inbox = Inbox()
        watched = self._watched.setdefault(run_id, _Watched(delivered=seq, wanted=seq))
        watched.inboxes.add(inbox)
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._hear()), asyncio.create_task(self._look())]
        return inbox

    def leave(self, run_id: int, inbox: Inbox) -> None:
        watched = self._watched[run_id]
        watched.inboxes.discard(inbox)
        if not watched.inboxes:
            del self._watched[run_id]
        if not self._watched:
            for task in self._tasks:
                task.cancel()
            self._tasks = []
            _reader.submit(connections.close_all)  # an idle process keeps no connection open

    async def _hear(self) -> None:
        async for notice in self._subscriber.listen():
            if isinstance(notice, Delta):
                self._pass_on(notice)
            else:
                self._tell(notice)

    def _pass_on(self, delta: Delta) -> None:
        watched = self._watched.get(delta.run_id)
        for inbox in watched.inboxes if watched else ():
            inbox.put_if_idle(delta)

    async def _look(self) -> None:
        """What the notices did not bring: a slow look at the heads of the watched runs, one query for all of them."""
        looked_at = monotonic()
        while True:
            await asyncio.sleep(LOOK_ALONE_S)
            if self.is_live and monotonic() - looked_at < LOOK_S:
                continue
            looked_at = monotonic()
            try:
                for notice in await _read_heads(list(self._watched)):
                    self._tell(notice)
            except DatabaseError as error:
                log.warning("could not look at the watched runs, the next look may: %s", error)

    def _tell(self, notice: Notice) -> None:
        watched = self._watched.get(notice.run_id)
        if watched is None:
            return
        watched.wanted = max(watched.wanted, notice.seq)
        if watched.wanted > watched.delivered and (watched.task is None or watched.task.done()):
            watched.task = asyncio.create_task(self._deliver(notice.run_id, watched))

    async def _deliver(self, run_id: int, watched: _Watched) -> None:
        """One reader a run: notices that come meanwhile are answered by the same loop."""
        while watched.inboxes and watched.wanted > watched.delivered:
            batch = await read_ready(run_id, watched.delivered)
            if not batch:
                # The notice ran ahead of what this connection sees; the next look brings it.
                watched.wanted = watched.delivered
                return
            for ready in batch:
                for inbox in watched.inboxes:
                    inbox.put(ready)
            watched.delivered = batch[-1].seq


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """The hub of this process: one an event loop, and a web process has one loop."""
    return _hubs.setdefault(asyncio.get_running_loop(), Hub())


async def read_ready(run_id: int, after: int) -> list[Ready]:
    """The next Steps after `after`, at most BATCH, by the page's own partial. Three queries."""
    read = database_sync_to_async(render_ready, thread_sensitive=False, executor=_reader)
    return await read(run_id, after)  # type: ignore[no-any-return]


async def _read_heads(run_ids: list[int]) -> list[Notice]:
    read = database_sync_to_async(_heads, thread_sensitive=False, executor=_reader)
    return await read(run_ids)  # type: ignore[no-any-return]


def _heads(run_ids: list[int]) -> list[Notice]:
    return [Notice(pk, seq) for pk, seq in Run.objects.filter(pk__in=run_ids).values_list("pk", "n_steps")]


def render_ready(run_id: int, after: int) -> list[Ready]:
    """The same, for code that may block."""
    steps = list(Step.objects.filter(run_id=run_id, seq__gt=after).order_by("seq")[:BATCH])
    if not steps:
        return []
    entered = Step.objects.filter(run_id=run_id, seq__lte=after, kind=StepKind.TRANSITION, name__in=NEW_CYCLE)
    args = dict(ToolCall.objects.filter(pk__in=_calls_of(steps)).values_list("pk", "args"))
    return [_ready(step, cycle, args) for step, cycle in numbered(steps, entered.count())]


def _calls_of(steps: Iterable[Step]) -> list[int]:
    return [step.payload["call"] for step in steps if step.kind == StepKind.TOOL_RESULT and step.payload.get("call")]


def _ready(step: Step, cycle: int, args: dict[int, dict[str, object]]) -> Ready:
    line = line_of(step, cycle, args)
    html = render_to_string("runs/_line.html", {"line": line, "run_id": step.run_id})
    message = {
        "type": "step",
        "seq": step.seq,
        "cycle": cycle,
        "call": line.call,
        "kind": step.kind,
        "html": html.strip(),
    }
    return Ready(step.seq, json.dumps(message, ensure_ascii=False), step.after)

"""The socket of a run's page: authorises, sends what the page has not seen, then what comes. It takes no orders."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib.auth.models import AnonymousUser, User
from django.db import DatabaseError

from runs.live import Delta
from runs.models import Run
from runs.states import TERMINAL
from runs.watching import Ready, hub, read_ready

FIRST_TICK_S = 0.5
TICK_S = 5.0  # how soon a page hears that notices flow no more; its silence tells it that the line is dead
ASK_AGAIN_TICKS = 12  # every so many ticks: is this person still allowed to look?
NOT_YOURS, NOTHING_TO_SAY, TRY_AGAIN = 4404, 4400, 1013
log = logging.getLogger(__name__)


class RunConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """`?after=N`: the last seq the page has. Messages: step, delta, tick (and whether notices flow), finished."""

    async def connect(self) -> None:
        self.run_id = int(self.scope["url_route"]["kwargs"]["pk"])
        self.sent = _after(self.scope["query_string"])
        self.task: asyncio.Task[None] | None = None
        head = await _head_if_visible(self.scope["user"], self.run_id)
        if head is None:
            await self.close(NOT_YOURS)
            return
        await self.accept()
        self.task = asyncio.create_task(self._watch(head))

    async def disconnect(self, code: int) -> None:
        if self.task is not None:
            self.task.cancel()
            with suppress(asyncio.CancelledError):
                await self.task

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        # The page has nothing to tell us; who talks is not the page.
        await self.close(NOTHING_TO_SAY)

    async def _watch(self, head: int) -> None:
        # Join first, read then: a Step written in between comes twice and is dropped by its seq, never lost.
        inbox = hub().join(self.run_id, head)
        ticker = asyncio.create_task(self._tick())
        try:
            is_over = await self._catch_up()
            while not is_over:
                is_over = await self._take(await inbox.get())
            await self.send(json.dumps({"type": "finished"}))
            await self.close()
        except DatabaseError as error:
            log.warning("the socket of run %s ends, its page asks again: %s", self.run_id, error)
            await self.close(TRY_AGAIN)
        finally:
            ticker.cancel()
            hub().leave(self.run_id, inbox)

    async def _take(self, ready: Ready | Delta | None) -> bool:
        """Send one Step if it is the next; read what is missing if it is not. True when the run is over."""
        if isinstance(ready, Delta):
            await self._speak(ready)
            return False
        if ready is None or ready.seq > self.sent + 1:
            return await self._catch_up()
        if ready.seq <= self.sent:
            return False
        return await self._pass_on(ready)

    async def _speak(self, delta: Delta) -> None:
        """What is said towards the next Step; towards another one it is late or early, and dropped."""
        if delta.next_seq == self.sent + 1:
            await self.send(
                json.dumps({"type": "delta", "seq": delta.next_seq, "offset": delta.offset, "text": delta.text})
            )

    async def _catch_up(self) -> bool:
        """Everything after what was sent, from the database."""
        is_over = False
        while batch := await read_ready(self.run_id, self.sent):
            for ready in batch:
                is_over = await self._pass_on(ready)
        return is_over

    async def _pass_on(self, ready: Ready) -> bool:
        await self.send(ready.text)
        self.sent = ready.seq
        return ready.state in TERMINAL

    async def _tick(self) -> None:
        count = 0
        while True:
            # The first one soon, yet late enough for the subscriber to have found Redis.
            await asyncio.sleep(TICK_S if count else FIRST_TICK_S)
            await self.send(json.dumps({"type": "tick", "live": hub().is_live, "seq": self.sent}))
            count += 1
            if count % ASK_AGAIN_TICKS == 0 and await _head_if_visible(self.scope["user"], self.run_id) is None:
                await self.close(NOT_YOURS)
                return


def _after(query: bytes) -> int:
    asked = parse_qs(query.decode("latin-1")).get("after", ["0"])[0]
    return int(asked) if asked.isdecimal() and len(asked) < 10 else 0


async def _head_if_visible(user: User | AnonymousUser, run_id: int) -> int | None:
    """The run's last seq if this person may see it now: the account is read anew, it may have been closed since."""
    return await database_sync_to_async(_head)(user, run_id)  # type: ignore[no-any-return]


def _head(user: User | AnonymousUser, run_id: int) -> int | None:
    current = User.objects.filter(pk=user.pk or 0, is_active=True).first()
    if current is None:
        return None
    run = Run.objects.visible_to(current).filter(pk=run_id).only("n_steps").first()
    return run.n_steps if run else None

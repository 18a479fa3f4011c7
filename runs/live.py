"""Notices that a run moved: published by whoever wrote a Step, heard by the one subscriber of each web process.

A notice carries run and seq, never the payload; losing one is harmless. What is done with it stands in watching.py.
One other kind carries text: a Delta, what a planner is saying while it thinks. Its Step replaces it; until then it is
kept nowhere.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import logging
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cache

import redis
import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from runs.presentation.display import reveal
from runs.redaction import redact

CHANNEL = "opspilot:steps"
SPEECH_EVERY_S = 0.1  # a delta of a run at most so often
SPEECH_CHARS = 600  # as long as a rationale may be
UNFINISHED_KEY = "-----BEGIN"  # a secret of many lines is known as one only at its end
FIRST_RETRY_S, LAST_RETRY_S = 0.2, 5.0
# redis-py would reconnect in silence; the pages are to be told, so that is done here.
NO_RETRY = Retry(NoBackoff(), 0)
log = logging.getLogger(__name__)


@cache
def _client() -> redis.Redis:
    # Short time-outs: a Redis that is away must not slow a run down; the page re-reads by itself.
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=0.2, socket_timeout=0.5)


def publish(run_id: int, seq: int) -> None:
    """Tell every web process, soon, that run `run_id` has a Step `seq`. Never raises, and never waits for Redis."""
    _outbox.put(run_id, seq)


def say(run_id: int, next_seq: int, piece: str) -> None:
    """Tell the open pages what the planner says before it is done. Never raises, never waits, may be dropped."""
    _outbox.say(run_id, next_seq, piece)


@dataclass(slots=True)
class _Speech:
    """What a planner has said towards the Step `next_seq`, and how much of it was sent."""

    next_seq: int
    text: str = ""
    sent: str = ""
    sent_at: float = 0.0


class Outbox:
    """Notices on their way to Redis, by a thread: only the newest of a run is sent, for it stands for those before."""

    def __init__(self) -> None:
        self._newest: dict[int, int] = {}
        self._speeches: dict[int, _Speech] = {}
        self._lock = threading.Lock()
        self._has_some = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, run_id: int, seq: int) -> None:
        with self._lock:
            self._newest[run_id] = max(seq, self._newest.get(run_id, 0))
            self._speeches.pop(run_id, None)
            self._start()
        self._has_some.set()

    def say(self, run_id: int, next_seq: int, piece: str) -> None:
        with self._lock:
            speech = self._speeches.get(run_id)
            if speech is None or speech.next_seq != next_seq:
                # Not sent at once: what is said in one breath is followed by its Step.
                speech = self._speeches[run_id] = _Speech(next_seq, sent_at=time.monotonic())
            speech.text = (speech.text + piece)[:SPEECH_CHARS]
            self._start()
        self._has_some.set()

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():  # the first time, and after a fork
            self._thread = threading.Thread(target=self._send_forever, name="notices", daemon=True)
            self._thread.start()

    def _send_forever(self) -> None:
        while True:
            self._has_some.wait()
            self._has_some.clear()
            self.flush()

    def flush(self) -> None:
        """Send what waits, now: at the end of the process too."""
        with self._lock:
            newest, self._newest = self._newest, {}
            deltas = [delta for run_id in self._speeches if (delta := self._delta(run_id))]
        try:
            for run_id, seq in newest.items():
                _client().publish(CHANNEL, json.dumps({"run": run_id, "seq": seq}))
            for delta in deltas:
                _client().publish(CHANNEL, delta.as_json())
        except (redis.RedisError, OSError):
            log.debug("%s notices not sent: Redis does not answer", len(newest) + len(deltas))

    def _delta(self, run_id: int) -> Delta | None:
        """What is new of a speech, if it may be sent now. Text is held back until it is known to hold no secret."""
        speech, now = self._speeches[run_id], time.monotonic()
        text = _shown(speech.text)
        if now - speech.sent_at < SPEECH_EVERY_S or text == speech.sent:
            return None
        offset = _common(text, speech.sent)
        speech.sent, speech.sent_at = text, now
        return Delta(run_id, speech.next_seq, offset, text[offset:])


def _shown(text: str) -> str:
    """Whole words only, secrets taken out: half of a secret does not look like one."""
    words = redact(text.partition(UNFINISHED_KEY)[0])
    return reveal("".join(words.rpartition(" ")[:2]))


_outbox = Outbox()
atexit.register(_outbox.flush)


@dataclass(frozen=True, slots=True)
class Notice:
    run_id: int
    seq: int


@dataclass(frozen=True, slots=True)
class Delta:
    """What a planner says towards the Step `next_seq`: `text` stands from `offset` on, in place of what stood there."""

    run_id: int
    next_seq: int
    offset: int
    text: str

    def as_json(self) -> str:
        return json.dumps({"run": self.run_id, "seq": self.next_seq, "offset": self.offset, "text": self.text})


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = zip(one, other, strict=False)
    return next((place for place, (first, second) in enumerate(pairs) if first != second), min(len(one), len(other)))


class Subscriber:
    """Hears all notices. Reconnects for ever, a little later each time; `is_connected` says whether it hears now."""

    def __init__(self) -> None:
        self.is_connected = False

    async def listen(self) -> AsyncIterator[Notice | Delta]:
        """Notices as they come. Those sent while it was not connected are lost."""
        wait_s = FIRST_RETRY_S
        while not _is_cancelled():
            try:
                async for notice in self._connected():
                    wait_s = FIRST_RETRY_S
                    yield notice
            except (redis.RedisError, OSError) as error:
                log.warning("Redis does not answer (%s): live pages read the database until it does", error)
            finally:
                self.is_connected = False
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, LAST_RETRY_S)

    async def _connected(self) -> AsyncIterator[Notice | Delta]:
        client = redis.asyncio.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=2, health_check_interval=10, retry=NO_RETRY
        )
        try:
            async with client.pubsub(ignore_subscribe_messages=True) as pubsub:
                await pubsub.subscribe(CHANNEL)
                self.is_connected = True
                while not _is_cancelled():
                    # A time-out lets the health check run, so that a peer that vanished is noticed.
                    message = await pubsub.get_message(timeout=5)
                    if message is not None and (notice := _read(message["data"])) is not None:
                        yield notice
        finally:
            await client.aclose()


def _is_cancelled() -> bool:
    """redis-py 8.1 swallows a cancel that arrives while it reads (168 of 400 tries), so the loops ask as well."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _read(data: bytes) -> Notice | Delta | None:
    """The notice, or None for anything else that was published on the channel."""
    try:
        said = json.loads(data)
        if "text" in said:
            return Delta(int(said["run"]), int(said["seq"]), int(said["offset"]), str(said["text"])[:SPEECH_CHARS])
        return Notice(int(said["run"]), int(said["seq"]))
    except (ValueError, TypeError, KeyError):
        log.warning("not a notice on %s: %.80r", CHANNEL, data)
        return None

"""The live path over a real Redis: what a page's socket gets, and what it gets when notices are lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.test import Client, TransactionTestCase, override_settings

from opspilot_site.asgi import application
from runs import consumers, live, watching
from runs.models import Membership, Run, Team
from runs.routing import websocket_urlpatterns
from runs.services.actors import Actor
from runs.services.runs import add_note, cancel_run
from runs.services.teams import add_member, seed_defaults
from runs.states import Role
from tests.runs.pages import stories

WAIT_S = 10


@contextmanager
def lost_notices() -> Iterator[None]:
    """What is written meanwhile is published nowhere."""
    with override_settings(REDIS_URL="unix:///nonexistent/redis.sock"):
        live._client.cache_clear()
        yield
    live._client.cache_clear()


def note(run: Run, text: str = "look at the pool") -> None:
    add_note(run.pk, Actor.system(), text)


@pytest.mark.usefixtures("redis_url")
class LiveTest(TransactionTestCase):
    def setUp(self) -> None:
        live._client.cache_clear()
        self.team = seed_defaults()
        self.alice = User.objects.create_user("alice")
        self.mallory = User.objects.create_user("mallory")
        add_member(self.team, self.alice, Role.OPERATOR)
        add_member(Team.objects.create(name="other", slug="other"), self.mallory, Role.APPROVER)
        self.story = stories.begin(self.alice, self.team)
        self.run_ = self.story.run

    def _socket(self, user: User | AnonymousUser, after: int | str = 0) -> WebsocketCommunicator:
        socket = WebsocketCommunicator(URLRouter(websocket_urlpatterns), f"/ws/runs/{self.run_.pk}?after={after}")
        socket.scope["user"] = user
        return socket

    @asynccontextmanager
    async def _opened(self, after: int | str = 0, user: User | None = None) -> Any:
        socket = self._socket(user or self.alice, after)
        accepted, _ = await socket.connect(timeout=WAIT_S)
        assert accepted
        try:
            yield socket
        finally:
            await socket.disconnect()

    async def _next(self, socket: WebsocketCommunicator, kind: str = "step") -> dict[str, Any]:
        while (message := json.loads(await socket.receive_from(timeout=WAIT_S)))["type"] != kind:
            pass
        return message

    async def _seqs(self, socket: WebsocketCommunicator, count: int) -> list[int]:
        return [(await self._next(socket))["seq"] for _ in range(count)]

    async def test_a_page_gets_what_it_has_not_seen_and_then_what_comes(self) -> None:
        async with self._opened(after=1) as socket:
            assert await self._seqs(socket, 1) == [2]
            await sync_to_async(stories.gather)(self.story)
            steps = self.run_.n_steps
            assert await self._seqs(socket, steps - 2) == list(range(3, steps + 1))

    async def test_a_reconnect_repeats_nothing(self) -> None:
        async with self._opened(after=0) as socket:
            assert await self._seqs(socket, 2) == [1, 2]
        await sync_to_async(note)(self.run_)
        async with self._opened(after=2) as socket:
            assert await self._seqs(socket, 1) == [3]

    async def test_lost_notices_are_made_up_for_by_the_next_one(self) -> None:
        async with self._opened(after=2) as socket:
            await self._next(socket, "tick")
            with lost_notices():
                for _ in range(5):
                    await sync_to_async(note)(self.run_)
            await sync_to_async(note)(self.run_)
            assert await self._seqs(socket, 6) == [3, 4, 5, 6, 7, 8]

    async def test_doubled_and_reordered_notices_are_harmless(self) -> None:
        async with self._opened(after=2) as socket:
            await self._next(socket, "tick")
            for _ in range(2):
                await sync_to_async(note)(self.run_)
            for seq in (4, 3, 4, 1, 3):
                live.publish(self.run_.pk, seq)
            await sync_to_async(note)(self.run_)
            assert await self._seqs(socket, 3) == [3, 4, 5]
            assert await socket.receive_nothing(timeout=0.3)

    async def test_what_is_said_is_heard_before_its_step_and_kept_nowhere(self) -> None:
        with mock.patch.object(live, "SPEECH_EVERY_S", 0):
            async with self._opened(after=2) as socket:
                await self._next(socket, "tick")
                live.say(self.run_.pk, 3, "Which lines ")
                first = await self._next(socket, "delta")
                live.say(self.run_.pk, 3, "came first? And ")
                second = await self._next(socket, "delta")
                await sync_to_async(note)(self.run_)
                assert await self._seqs(socket, 1) == [3]
                live.say(self.run_.pk, 3, "too late ")
                assert await socket.receive_nothing(timeout=0.3), "its Step has come"
        assert (first["seq"], first["offset"], first["text"]) == (3, 0, "Which lines ")
        assert (second["offset"], second["text"]) == (12, "came first? And ")
        kept = await sync_to_async(lambda: [step.body for step in self.run_.steps.all()])()
        assert "Which lines" not in "".join(kept)

    async def test_a_socket_that_lags_is_spared_what_is_said(self) -> None:
        inbox = watching.Inbox()
        delta = live.Delta(1, 3, 0, "words ")
        for _ in range(5):
            inbox.put_if_idle(delta)
        assert await inbox.get() is delta
        inbox.put(watching.Ready(3, "step", "PLAN"))
        inbox.put_if_idle(delta)
        assert isinstance(await inbox.get(), watching.Ready)
        assert inbox._queue.empty()

    async def test_what_is_no_notice_is_passed_over(self) -> None:
        async with self._opened(after=2) as socket:
            await self._next(socket, "tick")
            for data in ("", "[]", "null", '{"run": "x"}', '{"run": 999999, "seq": 3}'):
                live._client().publish(live.CHANNEL, data)
            await sync_to_async(note)(self.run_)
            assert await self._seqs(socket, 1) == [3]

    async def test_without_redis_the_database_is_looked_at_and_the_page_is_told(self) -> None:
        with lost_notices(), mock.patch.object(watching, "LOOK_ALONE_S", 0.05):
            async with self._opened(after=2) as socket:
                assert (await self._next(socket, "tick"))["live"] is False
                await sync_to_async(note)(self.run_)
                assert await self._seqs(socket, 1) == [3]

    async def test_with_redis_the_page_is_told_that_it_is_live(self) -> None:
        async with self._opened(after=2) as socket:
            assert (await self._next(socket, "tick"))["live"] is True

    async def test_a_finished_run_ends_the_socket_after_its_last_step(self) -> None:
        async with self._opened(after=2) as socket:
            await sync_to_async(cancel_run)(self.run_.pk, Actor.person(self.alice))
            assert await self._seqs(socket, 1) == [3]
            await self._next(socket, "finished")
            assert (await socket.receive_output(timeout=WAIT_S))["type"] == "websocket.close"

    async def test_all_watchers_of_a_run_get_the_very_same_text(self) -> None:
        first, second = (watching.hub().join(self.run_.pk, 2) for _ in range(2))
        await sync_to_async(note)(self.run_)
        watching.hub()._tell(live.Notice(self.run_.pk, 3))
        one, other = await first.get(), await second.get()
        assert one is not None
        assert one is other
        for inbox in (first, second):
            watching.hub().leave(self.run_.pk, inbox)

    async def test_an_inbox_that_overflows_is_emptied_and_asks_to_read_anew(self) -> None:
        inbox = watching.Inbox()
        for seq in range(watching.INBOX_SIZE + 1):
            inbox.put(watching.Ready(seq, "", "PLAN"))
        assert await inbox.get() is None
        inbox.put(watching.Ready(500, "", "PLAN"))
        assert (await inbox.get()).seq == 500  # type: ignore[union-attr]

    async def test_hostile_text_arrives_escaped(self) -> None:
        async with self._opened(after=2) as socket:
            await sync_to_async(note)(self.run_, "<img src=x onerror=alert(1)> \u202egnp.exe")
            html = (await self._next(socket))["html"]
            assert "<img" not in html
            assert "&lt;img src=x" in html
            assert "⟦U+202E⟧" in html

    async def test_a_run_of_another_team_is_refused(self) -> None:
        accepted, _ = await self._socket(self.mallory).connect(timeout=WAIT_S)
        assert not accepted

    async def test_nobody_is_refused(self) -> None:
        accepted, _ = await self._socket(AnonymousUser()).connect(timeout=WAIT_S)
        assert not accepted

    async def test_a_person_who_leaves_the_team_is_cut_off(self) -> None:
        ticks = mock.patch.multiple(consumers, FIRST_TICK_S=0.01, TICK_S=0.01, ASK_AGAIN_TICKS=1)
        with ticks:
            socket = self._socket(self.alice, 2)
            await socket.connect(timeout=WAIT_S)
            await sync_to_async(Membership.objects.filter(user=self.alice).delete)()
            while (output := await socket.receive_output(timeout=WAIT_S))["type"] == "websocket.send":
                pass
            assert output["code"] == consumers.NOT_YOURS
            await socket.disconnect()

    async def test_a_page_that_talks_is_no_page(self) -> None:
        async with self._opened(after=2) as socket:
            await socket.send_to(text_data="approve 1")
            while (output := await socket.receive_output(timeout=WAIT_S))["type"] == "websocket.send":
                pass
            assert output["code"] == consumers.NOTHING_TO_SAY

    async def test_nonsense_in_the_query_means_everything(self) -> None:
        for nonsense in ("-1", "x", "9" * 40, "²"):
            async with self._opened(after=nonsense) as socket:
                assert await self._seqs(socket, 2) == [1, 2]

    async def test_a_page_of_another_origin_is_refused_even_with_the_session(self) -> None:
        cookie = await sync_to_async(self._session_of)(self.alice)
        assert await self._knock(cookie, b"http://127.0.0.1:8320") is True
        assert await self._knock(cookie, b"https://evil.example") is False
        assert await self._knock("", b"http://127.0.0.1:8320") is False

    def _session_of(self, user: User) -> str:
        client = Client()
        client.force_login(user)
        return client.cookies[settings.SESSION_COOKIE_NAME].value

    async def _knock(self, session: str, origin: bytes) -> bool:
        cookie = f"{settings.SESSION_COOKIE_NAME}={session}".encode()
        headers = [(b"origin", origin), (b"host", b"127.0.0.1"), (b"cookie", cookie)]
        socket = WebsocketCommunicator(application, f"/ws/runs/{self.run_.pk}?after=0", headers=headers)
        accepted, _ = await socket.connect(timeout=WAIT_S)
        await socket.disconnect()
        return accepted


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Look at the pool next", "Look at the pool "),
        ("the key is sk-ant-abcdefghijkl", "the key is "),
        ("the key is sk-ant-abcdefghijklmnop1234 and ", "the key is «redacted:anthropic-key» and "),
        ("password=hunter2hunter2 then", "password=«redacted:assignment» "),
        ("it holds -----BEGIN RSA PRIVATE KEY----- MIIE and more ", "it holds "),
        ("see \u202etxt.exe now", "see ⟦U+202E⟧txt.exe "),
        ("word", ""),
    ],
)
def test_words_are_shown_whole_without_secrets_and_with_what_hides_in_them(said: str, shown: str) -> None:
    assert live._shown(said) == shown


def test_a_speech_ends_where_a_rationale_does() -> None:
    outbox = live.Outbox()
    with mock.patch.object(outbox, "_start"):
        for _ in range(1_000):
            outbox.say(1, 3, "on and on ")
    assert len(outbox._speeches[1].text) == live.SPEECH_CHARS

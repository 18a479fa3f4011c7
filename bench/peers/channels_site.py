"""The peer of `live`: a consumer on channels_redis' pub/sub layer, as its documentation has it. Served by Daphne.

The Redis to use is named in BENCH_REDIS_URL: a server's application has no arguments.
"""

from __future__ import annotations

import os

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import re_path

GROUP = "bench"

if not settings.configured:
    layer = {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [os.environ["BENCH_REDIS_URL"]]},
    }
    settings.configure(CHANNEL_LAYERS={"default": layer}, SECRET_KEY="bench")  # noqa: S106  nothing is signed


class Viewer(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def step(self, event: dict[str, str]) -> None:
        await self.send(event["text"])


application = ProtocolTypeRouter({"websocket": URLRouter([re_path("", Viewer.as_asgi())])})

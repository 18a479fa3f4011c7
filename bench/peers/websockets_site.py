"""The floor of `live`: one subscriber, one broadcast, nothing else."""

from __future__ import annotations

import asyncio
import sys

import redis.asyncio
from websockets.asyncio.server import ServerConnection, broadcast, serve

CHANNEL = "bench:live"


async def main(url: str, port: int) -> None:
    connections: set[ServerConnection] = set()

    async def look(connection: ServerConnection) -> None:
        connections.add(connection)
        await connection.wait_closed()
        connections.discard(connection)

    async with (
        serve(look, "127.0.0.1", port, compression=None, ping_interval=None),
        redis.asyncio.Redis.from_url(url).pubsub(ignore_subscribe_messages=True) as pubsub,
    ):
        await pubsub.subscribe(CHANNEL)
        async for message in pubsub.listen():
            broadcast(connections, message["data"].decode())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))

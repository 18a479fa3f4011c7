"""An HTTP server that sends exactly the bytes that it is given, piece by piece: what no well-behaved one would."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\nconnection: close\r\n\r\n"
EVENTS, JSON = b"text/event-stream", b"application/json"


@contextmanager
def raw_http(pieces: Sequence[bytes], kind: bytes = EVENTS, pause_s: float = 0.01) -> Iterator[str]:
    """Every connection gets the same pieces, each in a TCP segment of its own; yields the address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_serve, args=(server, [HEAD % kind, *pieces], pause_s), daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def _serve(server: socket.socket, pieces: Sequence[bytes], pause_s: float) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return  # the test is over
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _read_request(connection)
            for piece in pieces:
                try:
                    connection.sendall(piece)
                except OSError:
                    break
                time.sleep(pause_s)


def _read_request(connection: socket.socket) -> None:
    heard = b""
    while b"\r\n\r\n" not in heard:
        heard += connection.recv(65_536)
    head, _, body = heard.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += connection.recv(65_536)


def sse(*events: Any) -> bytes:
    """Events as the API sends them; a string is the data as it is."""
    return b"".join(_event(event) for event in events)


def _event(event: Any) -> bytes:
    name = event.get("type", "") if isinstance(event, dict) else "message_start"
    data = event if isinstance(event, str) else json.dumps(event, ensure_ascii=False)
    return f"event: {name}\ndata: {data}\n\n".encode()

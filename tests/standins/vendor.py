"""A vendor's HTTP API in a process of its own, whole or broken in one way that the first part of the path names.

`/ok/…` answers as the vendor documents. `/401/…`, `/404/…`, `/429/…`, `/500/…` answer that status; `/slow/…` nothing
for a long time; `/cut/…` half of an answer; `/malformed/…` HTML; `/shape/…` other JSON; `/huge/…` no end. A fault
with `late-` before it strikes only what the vendor calls a query, so that looking at the source still works.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

ROOT = Path(__file__).resolve().parents[2]
FAULTS = ("401", "404", "429", "500", "slow", "cut", "malformed", "shape", "huge")


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    mode: str = "ok"

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    value: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Api:
    """What one vendor answers. `errors` is the body of each status in the vendor's own words."""

    errors: dict[int, Any] = {}

    def is_query(self, request: Request) -> bool:
        return True

    def answer(self, request: Request) -> Reply:
        raise NotImplementedError


def serve(api: Api) -> None:
    """Prints the port, then serves until it is killed."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            parts = urlsplit(self.path)
            _, mode, path = (parts.path + "/").split("/", 2)
            request = Request(
                self.command, "/" + path.rstrip("/"), {key: value[0] for key, value in parse_qs(parts.query).items()},
                {key.lower(): value for key, value in self.headers.items()}, self.rfile.read(length), mode,
            )  # fmt: skip
            with suppress(BrokenPipeError, ConnectionResetError):
                self._reply(request)

        def _reply(self, request: Request) -> None:
            is_late = request.mode.startswith("late-")
            fault = request.mode.removeprefix("late-")
            if fault not in FAULTS or (is_late and not api.is_query(request)):
                reply = api.answer(request)
                text = reply.value if isinstance(reply.value, str) else json.dumps(reply.value)
                self._send(reply.status, text.encode(), reply.headers)
            elif fault.isdigit():
                told = api.errors.get(int(fault), {"message": "no"})
                body = told if isinstance(told, str) else json.dumps(told)
                self._send(int(fault), body.encode(), {"Retry-After": "7"} if fault == "429" else {})
            elif fault == "slow":
                time.sleep(30)
            elif fault == "cut":
                body = json.dumps(api.answer(request).value).encode()
                self._send(200, body[: len(body) // 2], {}, length=len(body))
                self.close_connection = True
            elif fault == "malformed":
                self._send(200, b"<html><body>Please log in</body></html>", {"Content-Type": "text/html"})
            elif fault == "shape":
                self._send(200, b'{"status": "success", "data": 5, "hits": [], "fields": 1}', {})
            else:
                self._endless()

        def _endless(self) -> None:
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(b"[" * 1_000_000)

        def _send(self, status: int, body: bytes, headers: dict[str, str], length: int | None = None) -> None:
            self.send_response(status)
            for name, value in ({"Content-Type": "application/json"} | headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body) if length is None else length))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = _handle

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)  # noqa: T201 - read by whoever started it
    server.serve_forever()


@contextmanager
def running(module: str, *words: str) -> Iterator[Callable[[str], str]]:
    """Starts a vendor's module; yields the function from a mode to the base URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.standins.{module}", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline())
        yield lambda mode: f"http://127.0.0.1:{port}/{mode}"
    finally:
        process.kill()
        process.communicate()

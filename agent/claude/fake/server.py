"""The stand-in's HTTP side: JSON and server-sent events over a real socket, and faults on demand."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from agent.claude.fake.accounting import PromptCache, tokens_of
from agent.claude.fake.script import Investigation, Script, Turn
from agent.claude.fake.validation import Refused, check_body, check_features, check_headers

MAX_BODY = 32_000_000  # the API's own limit of a request
PIECE = 24  # characters of one delta
Event = tuple[str, dict[str, Any]]


class FakeMessagesApi(ThreadingHTTPServer):
    """Serves `POST /v1/messages`. `record`, where given, gets one JSON line a request: headers, body, usage."""

    daemon_threads = True
    request_queue_size = 256  # a hundred runs ask at once

    def __init__(self, port: int = 0, script: Script | None = None, record: Path | None = None, seconds: float = 0):
        super().__init__(("127.0.0.1", port), _Handler)
        self.script = script or Investigation()
        self.cache = PromptCache()
        self.record = record
        self.seconds = seconds  # every answer takes this long, as a model's does: half to think, half to say it
        self.is_lenient = False  # takes what other programs send, as long as it can be counted
        self.lacks: frozenset[str] = frozenset()  # strict, cache, stream: refused, as lesser addresses do
        self.lock = threading.Lock()
        self.count = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def note(self, headers: dict[str, str], body: dict[str, Any], usage: dict[str, int]) -> str:
        """Records a request and returns its number."""
        with self.lock:
            self.count += 1
            if self.record is not None:
                secret = {"authorization", "x-api-key"}
                shown = {name: "***" if name in secret else value for name, value in headers.items()}
                with self.record.open("a") as file:
                    file.write(json.dumps({"headers": shown, "body": body, "usage": usage}) + "\n")
            return f"{self.count:08d}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeMessagesApi
    protocol_version = "HTTP/1.1"
    _pause_s = 0.0  # before each event

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the caller of `serve` prints what a person needs."""

    def do_GET(self) -> None:
        self._json(404, _error("not_found_error", f"GET {self.path}: only POST /v1/messages is served"))

    def do_POST(self) -> None:
        try:
            self._answer()
        except Refused as refused:
            self._json(refused.status, _error(refused.kind, str(refused)))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _answer(self) -> None:
        body = self._body()
        if self.path.split("?")[0] != "/v1/messages":
            raise Refused(f"POST {self.path}: only /v1/messages is served", 404, "not_found_error")
        headers = {name.lower(): value for name, value in self.headers.items()}
        if not self.server.is_lenient:
            check_headers(headers)
            check_body(body)
            check_features(body, self.server.lacks)
        turn = self.server.script.next(body)
        usage = self.server.cache.count(body)
        number = self.server.note(headers, body, usage)
        time.sleep(self.server.seconds / 2 if body.get("stream") else self.server.seconds)
        if not self._is_fault_before_answer(turn):
            message = _message(turn, body["model"], usage, number)
            self._stream(turn, message) if body.get("stream") else self._whole(turn, message)

    def _body(self) -> dict[str, Any]:
        length = int(self.headers.get("content-length") or 0)
        if length > MAX_BODY:
            raise Refused("request exceeds the maximum size", 413, "request_too_large")
        try:
            body: dict[str, Any] = json.loads(self.rfile.read(length))
        except ValueError:
            raise Refused("the request body is not valid JSON") from None
        return body

    def _is_fault_before_answer(self, turn: Turn) -> bool:
        match turn.get("fault"):
            case "status":
                error = _error(turn.get("type", "api_error"), turn.get("message", "a fault of the script"))
                self._json(turn["status"], error, turn.get("headers", {}))
            case "html":
                self._bytes(200, b"<html><body>Please log in to the network</body></html>", "text/html")
            case "other_shape":
                self._json(200, {"object": "chat.completion", "choices": []})
            case "gzip":
                packed = gzip.compress(bytes(turn["megabytes"] * 1_000_000))
                self._bytes(200, packed, "text/event-stream", {"content-encoding": "gzip"})
            case "redirect":
                self._bytes(302, b"", "text/plain", {"location": turn["location"]})
            case _:
                return False
        return True

    def _whole(self, turn: Turn, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        match turn.get("fault"):
            case "truncated":
                self._bytes(200, body[: len(body) // 2], "application/json")
            case "cut":
                self._head(200, "application/json", {"content-length": str(len(body))})
                self.wfile.write(body[: len(body) // 2])
                self._hang_up()
            case "stall":
                time.sleep(turn["seconds"])
            case _:
                self._bytes(200, body, "application/json", {"request-id": _request_id(message)})

    def _stream(self, turn: Turn, message: dict[str, Any]) -> None:
        """Faults strike after half of the events, or where the turn says."""
        self._head(200, "text/event-stream", {"transfer-encoding": "chunked", "request-id": _request_id(message)})
        events = list(sse_events(message))
        middle = _middle(events, turn)
        self._pause_s = self.server.seconds / 2 / len(events)
        for event in events[:middle]:
            self._event(event)
        self._piece(_sse(events[middle])[: turn.get("bytes", 0)])
        match turn.get("fault"):
            case "cut":
                self._hang_up()
                return
            case "error_event":
                self._event(("error", _error(turn.get("type", "overloaded_error"), "Overloaded")))
            case "stall":
                time.sleep(turn["seconds"])
            case "drip":
                until = time.monotonic() + turn["seconds"]
                while time.monotonic() < until:
                    self._event(("ping", {"type": "ping"}))
                    time.sleep(0.02)
            case "end_early":
                pass
            case _:
                for event in events[middle:]:
                    self._event(event)
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, event: Event) -> None:
        time.sleep(self._pause_s)
        self._piece(_sse(event))

    def _piece(self, text: bytes) -> None:
        if text:  # an empty chunk would end the answer
            self.wfile.write(f"{len(text):x}\r\n".encode() + text + b"\r\n")
            self.wfile.flush()

    def _hang_up(self) -> None:
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def _json(self, status: int, value: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self._bytes(status, json.dumps(value).encode(), "application/json", headers)

    def _bytes(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self._head(status, kind, {"content-length": str(len(body))} | (headers or {}))
        self.wfile.write(body)

    def _head(self, status: int, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def _message(turn: Turn, model: str, usage: dict[str, int], number: str) -> dict[str, Any]:
    content = turn.get("content", [{"type": "text", "text": "An answer that a fault interrupts. " * 4}])
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": turn.get("model", model),
        "content": content,
        "stop_reason": turn.get("stop_reason", "end_turn"),
        "stop_sequence": None,
        "stop_details": turn.get("stop_details"),
        "usage": usage | {"output_tokens": tokens_of(json.dumps(content))},
    }


def _middle(events: list[Event], turn: Turn) -> int:
    after = turn.get("after", len(events) // 2)
    if isinstance(after, int):
        return min(after, len(events) - 1)
    return 1 + next(
        place for place, (name, event) in enumerate(events)
        if name == "content_block_start" and event["content_block"]["type"] == after
    )  # fmt: skip


def _sse(event: Event) -> bytes:
    return f"event: {event[0]}\ndata: {json.dumps(event[1])}\n\n".encode()


def _request_id(message: dict[str, Any]) -> str:
    return str(message["id"]).replace("msg_", "req_")


def sse_events(message: dict[str, Any]) -> Iterator[Event]:
    """A message as the API streams it: the start without content, blocks in deltas, then the stop reason and usage."""
    start = message | {"content": [], "stop_reason": None, "usage": message["usage"] | {"output_tokens": 1}}
    yield "message_start", {"type": "message_start", "message": start}
    yield "ping", {"type": "ping"}
    for index, block in enumerate(message["content"]):
        empty, deltas = _deltas(block)
        yield "content_block_start", {"type": "content_block_start", "index": index, "content_block": empty}
        for delta in deltas:
            yield "content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}
        yield "content_block_stop", {"type": "content_block_stop", "index": index}
    end = {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
    usage = {"output_tokens": message["usage"]["output_tokens"]}
    yield "message_delta", {"type": "message_delta", "delta": end, "usage": usage}
    yield "message_stop", {"type": "message_stop"}


def _deltas(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A block without its text, and its text in pieces. A tool call's `raw` is sent as it is, valid JSON or not."""
    match block["type"]:
        case "text":
            return block | {"text": ""}, [{"type": "text_delta", "text": piece} for piece in _pieces(block["text"])]
        case "tool_use":
            text = block.get("raw", json.dumps(block.get("input", {})))
            empty = {name: value for name, value in block.items() if name != "raw"} | {"input": {}}
            return empty, [{"type": "input_json_delta", "partial_json": piece} for piece in _pieces(text)]
        case "thinking":
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in _pieces(block["thinking"])]
            signed = [{"type": "signature_delta", "signature": block["signature"]}]
            return block | {"thinking": "", "signature": ""}, deltas + signed
        case _:
            return block, []


def _pieces(text: str) -> list[str]:
    return [text[start : start + PIECE] for start in range(0, len(text), PIECE)]


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}

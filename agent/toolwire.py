"""What crosses the socket between a worker and its tool processes: frames, calls and results. Starts no process."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agent.jsonclean import clean, clean_text, encode, shorten
from tools.base import Status, Stored, ToolResult
from tools.sources import SourceSpec
from tools.sources.spec import pack_options, read_options

MAX_RESULT_BYTES = 8_000_000  # raw; what is stored as evidence is smaller still
MAX_FRAME_BYTES = 64_000_000  # more than any result or any evidence handed to a tool
LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class ContextSpec:
    """The part of a ToolContext that is plain values. Evidence is asked for over the socket when a tool wants it."""

    key: str
    as_of: datetime
    focus: datetime | None = None
    sources: tuple[SourceSpec, ...] = ()
    meta: Mapping[str, str] = field(default_factory=dict)
    tickets: tuple[Mapping[str, str], ...] = ()


class FrameError(Exception):
    """The other side sent something that is not a frame."""


class Frames:
    """JSON objects over a stream socket, each behind its length; usable blocking and, by `pull`, without blocking."""

    def __init__(self, sock: socket.socket):
        self.sock = sock
        self._buffer = bytearray()

    def send(self, message: dict[str, Any]) -> None:
        body = encode(message)
        self.sock.sendall(LENGTH.pack(len(body)) + body)

    def receive(self) -> dict[str, Any] | None:
        """The next message, waiting for it; None when the other side is gone."""
        while (message := self._take()) is None:
            if not self._fill():
                return None
        return message

    def pull(self) -> dict[str, Any] | None:
        """Reads once from a socket that is ready: a message if one is complete now. Raises EOFError at the end."""
        if not self._fill():
            raise EOFError
        return self._take()

    def _fill(self) -> bool:
        received = self.sock.recv(1 << 20)
        self._buffer += received
        return bool(received)

    def _take(self) -> dict[str, Any] | None:
        if len(self._buffer) < LENGTH.size:
            return None
        (length,) = LENGTH.unpack_from(self._buffer)
        if length > MAX_FRAME_BYTES:
            raise FrameError(f"a frame of {length} bytes")
        end = LENGTH.size + length
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[LENGTH.size : end])
        del self._buffer[:end]
        return _object(body)


def _object(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except ValueError as error:
        raise FrameError(str(error)) from None
    if not isinstance(message, dict):
        raise FrameError("not an object")
    return message


def pack_context(spec: ContextSpec) -> dict[str, Any]:
    return {
        "key": spec.key,
        "as_of": spec.as_of.isoformat(),
        "focus": spec.focus.isoformat() if spec.focus else None,
        "sources": [
            [source.name, source.url, source.env, source.kind, pack_options(source.options)] for source in spec.sources
        ],
        "meta": dict(spec.meta),
        "tickets": [dict(ticket) for ticket in spec.tickets],
    }


def unpack_context(packed: Mapping[str, Any]) -> ContextSpec:
    return ContextSpec(
        key=packed["key"],
        as_of=datetime.fromisoformat(packed["as_of"]),
        focus=datetime.fromisoformat(packed["focus"]) if packed["focus"] else None,
        sources=tuple(
            SourceSpec(name, url, env, kind, read_options(options))
            for name, url, env, kind, options in packed["sources"]
        ),
        meta=packed["meta"],
        tickets=tuple(packed["tickets"]),
    )


def pack_result(result: ToolResult, max_bytes: int = MAX_RESULT_BYTES) -> dict[str, Any]:
    """The result as clean JSON within the size cap; what was cut is counted in `data["cut"]` and in the summary."""
    data, cuts = shorten(clean(result.data), max_bytes)
    status, summary = result.status, clean_text(result.summary)
    if cuts:
        status = Status.TRUNCATED
        summary += f" Cut to {max_bytes // 1_000_000 or max_bytes} {'MB' if max_bytes >= 1_000_000 else 'bytes'}: "
        summary += ", ".join(f"{path} {cut['kept']} of {cut['of']}" for path, cut in cuts.items()) + "."
        data["cut"] = cuts
    return {
        "status": status.value,
        "summary": summary,
        "data": data,
        "figures": {clean_text(name): value for name, value in clean(result.figures).items() if value is not None},
        "query": clean(result.query),
        "source": clean_text(result.source),
        "freshness": result.freshness.isoformat() if result.freshness else None,
        "skipped": int(result.skipped),
    }


def pack_stored(stored: Stored) -> dict[str, Any]:
    freshness = stored.freshness.isoformat() if stored.freshness else None
    return {"data": stored.data, "source": stored.source, "query": stored.query, "freshness": freshness}


def unpack_stored(packed: Mapping[str, Any]) -> Stored:
    freshness = datetime.fromisoformat(packed["freshness"]) if packed["freshness"] else None
    return Stored(packed["data"], packed["source"], packed["query"], freshness)


def unpack_result(packed: Mapping[str, Any]) -> ToolResult:
    freshness = packed["freshness"]
    return ToolResult(
        status=Status(packed["status"]),
        summary=packed["summary"],
        data=packed["data"],
        figures=packed["figures"],
        query=packed["query"],
        source=packed["source"],
        freshness=datetime.fromisoformat(freshness) if freshness else None,
        skipped=packed["skipped"],
    )

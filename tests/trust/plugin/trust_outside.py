"""The outside world of the trust tests: a process of its own with its own SQLite file that writes down what reached it.

`python trust_outside.py SOCKET FILE` serves; `tell` is its client. It honours keys: a second order with a key it knows
is answered like the first and takes no effect. Nothing of OpsPilot is imported, so that nothing of it can take it down.
"""

from __future__ import annotations

import json
import socket
import socketserver
import sqlite3
import sys
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS request (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, case_name TEXT NOT NULL, item TEXT NOT NULL, key TEXT NOT NULL,
    took_effect INTEGER NOT NULL, at REAL NOT NULL DEFAULT (julianday('now'))
)
"""


def tell(path: str, message: dict[str, Any]) -> dict[str, Any]:
    """Send one message and wait for its answer. Raises OSError when the outside world is away."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(path)
        sock.sendall(json.dumps(message).encode() + b"\n")
        return json.loads(sock.makefile().readline())


class Requests(socketserver.StreamRequestHandler):
    """One message a connection: order, thought, effects, thoughts."""

    def handle(self) -> None:
        message = json.loads(self.rfile.readline())
        answer = getattr(self, f"_{message.pop('kind')}")(**message)
        self.wfile.write(json.dumps(answer).encode() + b"\n")

    def _order(self, case: str, item: str, key: str) -> dict[str, Any]:
        known = self._rows("SELECT id FROM request WHERE kind = 'order' AND key = ? AND took_effect", key)
        self._rows("INSERT INTO request (kind, case_name, item, key, took_effect) VALUES ('order', ?, ?, ?, ?)",
                   case, item, key, not known)  # fmt: skip
        return {"item": item}

    def _thought(self, case: str) -> dict[str, Any]:
        self._rows(
            "INSERT INTO request (kind, case_name, item, key, took_effect) VALUES ('thought', ?, '', '', 0)", case
        )
        return {}

    def _effects(self, case: str) -> dict[str, Any]:
        rows = self._rows(
            "SELECT item FROM request WHERE kind = 'order' AND case_name = ? AND took_effect ORDER BY item", case
        )
        return {"items": [item for (item,) in rows]}

    def _thoughts(self, case: str) -> dict[str, Any]:
        return {
            "count": self._rows("SELECT count(*) FROM request WHERE kind = 'thought' AND case_name = ?", case)[0][0]
        }

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        with self.server.database as database:  # type: ignore[attr-defined]
            return database.execute(sql, values).fetchall()


class Server(socketserver.UnixStreamServer):
    """One request at a time: the order in which they came is the order in which they count."""

    request_queue_size = 128


def serve(path: str, file: str) -> None:
    """Serve for ever."""
    Path(path).unlink(missing_ok=True)
    with Server(path, Requests) as server:
        server.database = sqlite3.connect(file)  # type: ignore[attr-defined]
        server.database.execute("PRAGMA journal_mode=WAL")  # type: ignore[attr-defined]
        server.database.execute(SCHEMA)  # type: ignore[attr-defined]
        server.serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2])

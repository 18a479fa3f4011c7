"""A mail server and a webhook's receiver in one process of their own, over real sockets.

`python -m tests.standins.receivers FOLDER MAIL_PORT HOOK_PORT` writes each message it takes to FOLDER/mail.jsonl or
FOLDER/hook.jsonl. The hook answers with the status in FOLDER/status (200 without), and while FOLDER/hold exists it
answers nothing: FOLDER/held appears as soon as somebody waits.
"""

from __future__ import annotations

import email
import email.policy
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

ROOT = Path(__file__).resolve().parents[2]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Receivers:
    """The process, started and stopped at will; it keeps its ports and what it took."""

    folder: Path
    mail_port: int = field(default_factory=_free_port)
    hook_port: int = field(default_factory=_free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def mail_url(self) -> str:
        return f"mailto://127.0.0.1:{self.mail_port}?from=opspilot@example.org&to=oncall@example.org"

    @property
    def people_url(self) -> str:
        return f"mailto://127.0.0.1:{self.mail_port}?from=opspilot@example.org&to={{people}}"

    @property
    def hook_url(self) -> str:
        return f"json://127.0.0.1:{self.hook_port}/hooks/s3cr3t-t0ken"

    @property
    def mails(self) -> list[EmailMessage]:
        lines = self._lines("mail.jsonl")
        return [email.message_from_string(line["data"], policy=email.policy.default) for line in lines]  # type: ignore[misc]

    @property
    def recipients(self) -> list[str]:
        return [address for line in self._lines("mail.jsonl") for address in line["to"]]

    @property
    def calls(self) -> list[dict[str, Any]]:
        """What the hook took: {"headers", "json"}."""
        return self._lines("hook.jsonl")

    def _lines(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def forget(self) -> None:
        for name in ("mail.jsonl", "hook.jsonl"):
            (self.folder / name).unlink(missing_ok=True)

    def start(self) -> None:
        argv = [sys.executable, "-m", "tests.standins.receivers", self.folder, self.mail_port, self.hook_port]
        self._process = subprocess.Popen([str(word) for word in argv], cwd=ROOT)
        wait_until(lambda: _answers(self.mail_port) and _answers(self.hook_port))

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def wait_until(is_so: Callable[[], bool], patience_s: float = 60) -> None:
    deadline = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class _Hook(BaseHTTPRequestHandler):
    folder: Path

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        while (self.folder / "hold").exists():
            (self.folder / "held").touch()
            time.sleep(0.02)
        status = self.folder / "status"
        answer = int(status.read_text()) if status.exists() else 200
        if answer == 200:
            line = json.dumps({"headers": dict(self.headers), "json": json.loads(body)})
            with (self.folder / "hook.jsonl").open("a") as file:
                file.write(f"{line}\n")
        self.send_response(answer)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Nothing to stderr."""


class _Mail:
    def __init__(self, folder: Path):
        self._folder = folder

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        text = envelope.content.decode().replace("\r\n", "\n")  # lines end so on the wire
        with (self._folder / "mail.jsonl").open("a") as file:
            file.write(f"{json.dumps({'to': envelope.rcpt_tos, 'data': text})}\n")
        return "250 OK"


def main() -> None:
    folder, mail_port, hook_port = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    Controller(_Mail(folder), hostname="127.0.0.1", port=mail_port).start()
    _Hook.folder = folder
    ThreadingHTTPServer(("127.0.0.1", hook_port), _Hook).serve_forever()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    main()

"""Starts the stand-in Messages API in a process of its own and reads what it was sent."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SERVE = """
import sys
from pathlib import Path
from agent.claude.fake.script import Investigation, Turns
from agent.claude.fake.server import FakeMessagesApi
from tests.standins.obedient import Obedient
script, record = sys.argv[1:]
plays = {"": Investigation, "obedient": Obedient}
server = FakeMessagesApi(0, plays[script]() if script in plays else Turns.from_file(Path(script)), Path(record))
print(server.url, flush=True)
server.serve_forever()
"""


@dataclass(frozen=True)
class MessagesApi:
    """A running stand-in. `requests` are those it accepted, in order: headers, body, usage."""

    url: str
    record: Path

    @property
    def requests(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.record.read_text().splitlines()]

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [request["body"] for request in self.requests]


@contextmanager
def messages_api(folder: Path, turns: list[dict[str, Any]] | None = None, *, plays: str = "") -> Iterator[MessagesApi]:
    """A stand-in that plays `turns`, or without any its own investigation, or `plays="obedient"`."""
    record = folder / "requests.jsonl"
    record.touch()
    script = folder / "script.json"
    script.write_text(json.dumps({"turns": turns}))
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(script) if turns is not None else plays, str(record)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield MessagesApi(process.stdout.readline().strip(), record)
    finally:
        process.kill()
        process.communicate()

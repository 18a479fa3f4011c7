"""What the stand-in answers: turns from a JSON file, in order, or an investigation of its own.

A script is {"turns": [turn, …]}. A turn is an answer, {"content": [block, …], "stop_reason": "tool_use"}, or a fault,
{"fault": name, …}:
  status         "status", "type", "headers": an error in the API's shape
  error_event    "type": an SSE error event in the middle of the stream
  cut            the connection is lost in the middle      end_early   the stream ends cleanly, but too soon
  stall          "seconds" of silence in the middle        drip        "seconds" of pings
  html           200 with a web page                       truncated   200 with half of the JSON
  other_shape    200 with JSON that is no message          redirect    302 to "location"
  gzip           200 with "megabytes" that were packed into next to nothing
Where the middle of a stream is: "after", a number of events or the type of the first block that has begun; and with
"bytes", so many bytes of the event that would have come next.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any, Protocol

from agent.claude.fake.investigator import investigate
from agent.claude.fake.validation import Refused

Turn = dict[str, Any]


class Script(Protocol):
    def next(self, body: dict[str, Any]) -> Turn:
        """The turn that answers this request."""
        ...


class Investigation:
    """The default: investigates with whatever tools it is offered. Keeps no state: the request holds it all."""

    def next(self, body: dict[str, Any]) -> Turn:
        content = investigate(body)
        return {"content": content, "stop_reason": "tool_use" if content[-1]["type"] == "tool_use" else "end_turn"}


class Turns:
    """Plays given turns in order, whoever asks. Past the end it refuses, so that a test sees a call too many."""

    def __init__(self, turns: list[Turn]):
        self._turns = turns
        self._played = 0
        self._lock = threading.Lock()

    @classmethod
    def from_file(cls, path: Path) -> Turns:
        return cls(json.loads(path.read_text())["turns"])

    def next(self, body: dict[str, Any]) -> Turn:
        with self._lock:
            if self._played == len(self._turns):
                raise Refused(f"the script is over after {self._played} turns")
            self._played += 1
            return self._turns[self._played - 1]

"""Marks around text from outside, so that the model can tell what it reads from what it is told."""

from __future__ import annotations

import hashlib
import hmac

from agent.planner import Transcript


class Fence:
    """An unguessable mark for one run: the same at every turn (the prefix must not change), another in every run."""

    def __init__(self, secret: bytes, transcript: Transcript):
        seed = f"{transcript.goal}\0{transcript.as_of.isoformat()}\0{transcript.focus}"
        self.mark = "outside-" + hmac.new(secret, seed.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:16]

    def around(self, text: str) -> str:
        """The text between marks. A mark inside it, which only a leak could have put there, is broken up."""
        inner = text.replace(self.mark, "outside-(removed)")
        return f"<{self.mark}>\n{inner}\n</{self.mark}>"

"""The contender's end of the conversation: one JSON question a line on stdin, one JSON answer a line on stdout.

Imports the standard library only, so that peers can run in an environment without OpsPilot.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

Answer = Callable[..., dict[str, Any]]


def serve(**answers: Answer) -> None:
    """Answer questions `{"do": name, …arguments}` until stdin closes, which is how the asker's end ends us too."""
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints goes to the log, not between the answers
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # in order with the last words of a fault
    for line in sys.stdin:
        question = json.loads(line)
        replies.write(json.dumps(answers[question.pop("do")](**question)) + "\n")

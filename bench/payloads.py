"""What a cycle carries, the same bytes for ours and for the peers: a move of the planner and 2 kB of a tool's rows."""

from __future__ import annotations

from typing import Any

RATIONALE = "Error rate of checkout rose at 12:04; look at its logs around that time for what changed."
ANSWER = "checkout times out on its database since 12:04"
ARGS = {"query": "timeout|refused", "service": "checkout", "start": "2026-01-01T12:00:00Z", "limit": 50}
HYPOTHESES: list[dict[str, Any]] = [
    {"id": "H1", "statement": "The connection pool of checkout is exhausted", "status": "open", "why": "timeouts",
     "facts": []},
]  # fmt: skip
MODEL_REPLY: dict[str, Any] = {
    "model": "none", "rationale": RATIONALE, "usage": {"input_tokens": 1_200, "output_tokens": 300},
    "reply": [{"type": "text", "text": RATIONALE}, {"type": "tool_use", "id": "r1", "input": ARGS}], "sent": {},
}  # fmt: skip
ROWS: dict[str, Any] = {
    "total": 37,
    "lines": [
        {"at": f"2026-01-01T12:04:{second:02}Z", "service": "checkout", "text": f"timeout after 5000 ms, try {second}"}
        for second in range(20)
    ],
}

"""Turns a transcript into messages: append-only, so that every turn begins with the exact bytes of the one before.

No clock, no run id and no counter stands in them. Text from outside stands only in tool results, between marks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from agent.claude.answer import NOTE_TOOL
from agent.claude.digests import DigestMemory
from agent.claude.fence import Fence
from agent.claude.hypotheses import CASE_TOOL, note_answer
from agent.jsonclean import clean, clean_text
from agent.planner import Item, Move, Noted, Planned, Returned, SentBack, Transcript
from tools.registry import CONCLUSION

Block = dict[str, Any]
OPENING_ID = "toolu_case"
THINKING = ("thinking", "redacted_thinking")

ENDINGS = {
    "denied": "A person denied this call. It was not run; do not ask for it again.",
    "expired": "Nobody decided on this call in time. It was not run.",
    "edited": "A person replaced this call by one with other arguments. Go by what that one returned.",
    "refused": "The policy refused this call. It was not run.",
    "void": "The approval of this call no longer held. It was not run.",
    "outcome_unknown": "It is not known whether this call happened. A person decides; do not ask for it again.",
}
NOT_RUN = (
    "Not run. A turn runs at most five calls, generate_report only alone, and each call needs complete arguments. "
    "Call it again if it is still needed."
)
NO_RESULT = "No result was recorded for this call."


class Messages:
    """Builds the messages of one run's transcript for one model."""

    def __init__(self, transcript: Transcript, fence: Fence, model: str, digests: DigestMemory):
        self._transcript = transcript
        self._fence = fence
        self._model = model
        self._digests = digests

    def build(self) -> list[dict[str, Any]]:
        """user, assistant, user, …: the goal, the case as if it had been read, then each turn and its results."""
        messages: list[dict[str, Any]] = [
            {"role": "user", "content": [_text(self._goal())]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": OPENING_ID, "name": CASE_TOOL, "input": {}}]},
            {"role": "user", "content": [_result(OPENING_ID, self._case())]},
        ]
        for planned, followers in _turns(self._transcript.items):
            if planned is None:
                messages[-1]["content"] += self._notes(followers)
                continue
            messages.append({"role": "assistant", "content": self._reply(planned.move)})
            messages.append({"role": "user", "content": self._results(planned.move, followers)})
        return messages

    def _goal(self) -> str:
        transcript = self._transcript
        lines = [
            f"Goal: {clean_text(transcript.goal)}",
            f"As of (your “now”): {transcript.as_of.isoformat()}",
        ]
        if transcript.focus:
            lines.append(f"The alert fired at: {transcript.focus.isoformat()}")
        lines.append("A ticket is asked for." if transcript.wants_ticket else "No ticket is asked for.")
        lines.append(f"Text from outside stands between <{self._fence.mark}> and </{self._fence.mark}>.")
        return "\n".join(lines)

    def _case(self) -> str:
        sources = [
            f"source {source.name} ({source.kind}): {_span(source.oldest, source.newest)}"
            + (f"; services: {', '.join(source.services)}" if source.services else "")
            + (f"; problem: {source.problem}" if source.problem else "")
            for source in self._transcript.sources
        ]
        alert = json.dumps(clean(self._transcript.alert), ensure_ascii=False, sort_keys=True, indent=1)[:6_000]
        parts = ["\n".join(sources) or "No source is configured.", f"alert: {alert}" if self._transcript.alert else ""]
        return self._fence.around(clean_text("\n".join(part for part in parts if part)))

    def _reply(self, move: Move) -> list[Block]:
        """The model's own blocks, verbatim. Thinking goes back only to the model that thought it: the API checks."""
        is_same_model = move.sent.get("model") == self._model
        blocks = [block for block in move.reply if is_same_model or block["type"] not in THINKING]
        return [_ordered(block) for block in blocks or _calls_of(move)]

    def _results(self, move: Move, followers: Sequence[Item]) -> list[Block]:
        returned = {item.request_id: item for item in followers if isinstance(item, Returned)}
        sent_back = next((item for item in followers if isinstance(item, SentBack)), None)
        calls = [block for block in self._reply(move) if block["type"] == "tool_use"]
        results = [self._result_of(call, move, returned.pop(call["id"], None), sent_back) for call in calls]
        for other in returned.values():  # made by a person in place of one of the calls
            results[-1]["content"] += [_text(self._digests.of(other, self._fence))]
        return results + self._notes(followers)

    def _result_of(self, call: Block, move: Move, returned: Returned | None, sent_back: SentBack | None) -> Block:
        if call["name"] == NOTE_TOOL:
            return _result(call["id"], note_answer(call.get("input")))
        if call["name"] == CASE_TOOL:
            return _result(call["id"], "Already read; it opens the conversation.")
        if call["id"] not in {request.id for request in move.requests}:
            return _result(call["id"], NOT_RUN, is_error=True)
        if call["name"] == CONCLUSION and sent_back is not None:
            return _result(call["id"], _sent_back(sent_back), is_error=True)
        if returned is None:
            return _result(call["id"], NO_RESULT, is_error=True)
        return self._returned(call["id"], returned)

    def _returned(self, call_id: str, returned: Returned) -> Block:
        head = ENDINGS.get(returned.status, "")
        body = self._digests.of(returned, self._fence)
        is_error = returned.status == "error" or (returned.status in ENDINGS and returned.status != "edited")
        return _result(call_id, f"{head}\n{body}".strip(), is_error=is_error)

    def _notes(self, followers: Sequence[Item]) -> list[Block]:
        return [
            _text(f"Note from {clean_text(item.author)}, who watches this run: {clean_text(item.text)}")
            for item in followers
            if isinstance(item, Noted)
        ]


def _turns(items: Sequence[Item]) -> Iterator[tuple[Planned | None, list[Item]]]:
    """Each planned move with what followed it; first, with None, what came before any move."""
    planned: Planned | None = None
    followers: list[Item] = []
    for item in items:
        if isinstance(item, Planned):
            yield planned, followers
            planned, followers = item, []
        else:
            followers.append(item)
    yield planned, followers


def _ordered(value: Any) -> Any:
    """Keys in one order: PostgreSQL's jsonb does not keep the one they came in, and the prefix must not change."""
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value)}
    return [_ordered(item) for item in value] if isinstance(value, list) else value


def _calls_of(move: Move) -> list[Block]:
    """A move that has no reply of this API (planned by another planner) is shown as the calls it made."""
    return [
        {"type": "tool_use", "id": request.id, "name": request.tool, "input": request.args} for request in move.requests
    ]


def _sent_back(sent_back: SentBack) -> str:
    lines = [f"{claim}: {why}" for claim, why in sent_back.problems]
    return "The report was not accepted. These claims do not hold:\n" + "\n".join(lines)


def _span(oldest: Any, newest: Any) -> str:
    return f"{oldest.isoformat()} to {newest.isoformat()}" if oldest and newest else "range unknown"


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _result(call_id: str, text: str, is_error: bool = False) -> Block:
    block: Block = {"type": "tool_result", "tool_use_id": call_id, "content": [_text(text)]}
    return block | {"is_error": True} if is_error else block
